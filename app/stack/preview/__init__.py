"""`nobet preview`: the committed dashboards in a browser, drawn from the running stack without a Grafana server.

`sources` reads where the data is from the very files that Grafana is provisioned with, `calls` says which requests are let
through, `server` answers the page on the loopback interface, and `bundle` builds the page from `grafana/preview`.
"""
