"""Dashboards and provisioning of Grafana; a package only so that `python -m grafana.generator` works."""
