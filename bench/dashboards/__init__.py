"""How long the dashboards and the rules take on a running stack."""
