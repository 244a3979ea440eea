"""Makes the Grafana dashboards. `python -m grafana.generator` writes `grafana/dashboards/`; the committed files must equal it."""
