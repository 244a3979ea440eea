"""Configuration of Prometheus; a package only so that `python -m prometheus.generator` works."""
