"""Asks what Grafana would ask: the queries of the committed dashboards, by the same HTTP calls, with the variables filled in alike."""
