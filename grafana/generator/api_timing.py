"""Panels of the API dashboard: how long answers take, as a whole and by endpoint."""

from typing import Final

from grafana_foundation_sdk.builders import common, heatmap, table
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import prometheus as pm

from grafana.generator import shared as s
from grafana.generator.api_queries import RANGE, REQUESTS, quantile, share_under

_ENDPOINT_LOGS: Final = 'endpoint:"${__field.labels.endpoint}"'


def duration() -> list[s.Panel]:
    """How long answers take."""
    percentiles = s.series(
        "Percentiles",
        "50, 95 and 99 % of the requests take at most this long. Lines: targets 200 ms, 500 ms, 1 s. A dot is a request with its trace.",
        "s",
        s.query(quantile(0.5), "p50", "A"),
        s.query(quantile(0.95), "p95", "B", exemplars=True),
        s.query(quantile(0.99), "p99", "C"),
    )
    spread = (
        heatmap.Panel()
        .title("Distribution")
        .description("How many requests took how long. Two bands mean two kinds of requests.")
        .datasource(s.PROMETHEUS)
        .with_target(
            s.query(f"sum by (le) (increase(http_request_duration_seconds_bucket{{{s.SELECT}}}{RANGE}))", "{{le}}").format(
                pm.PromQueryFormat.HEATMAP
            )
        )
        .no_value("No traffic")
        .unit("short")
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .cell_values(heatmap.CellValues().unit("short"))
        .span(12)
        .height(8)
    )
    shares = s.series(
        "Share within the targets",
        "Share of the requests that are answered within 200 ms, 500 ms and 1 s. Line: the objective, 95 % within 200 ms.",
        "percentunit",
        s.query(share_under(0.2), "200 ms", "A"),
        s.query(share_under(0.5), "500 ms", "B"),
        s.query(share_under(1.0), "1 s", "C"),
    ).max(1)
    slow = s.series(
        "Database queries",
        "95 % of the database queries are answered within this time, by operation. Line: the limit for a slow query, 200 ms.",
        "s",
        s.query(
            f"histogram_quantile(0.95, sum by (le, operation) (rate(db_query_duration_seconds_bucket{{{s.SELECT}}}{RANGE}))) >= 0",
            "{{operation}}",
        ),
        empty="No queries",
    ).data_links([s.logs_link("Slow queries", 'event:"db.query.slow"')])
    return [
        s.lines(percentiles, (0.2, s.WELL), (0.5, s.NEAR), (1, s.BEYOND)),
        spread,
        s.lines(shares, (0.95, s.NEAR)),
        s.lines(slow, (0.2, s.NEAR)),
    ]


def endpoints() -> list[s.Panel]:
    """The same by endpoint."""
    rate = s.series(
        "Requests by endpoint",
        "Requests answered per second. Click a line for its log records.",
        "reqps",
        s.query(f"sum by (endpoint) ({REQUESTS})", "{{endpoint}}"),
    ).data_links([s.logs_link("Log records", _ENDPOINT_LOGS)])
    slow = s.series(
        "95th percentile by endpoint",
        "95 % of the requests to the endpoint are answered within this time. Click a line for its log records.",
        "s",
        s.query(quantile(0.95, "le, endpoint"), "{{endpoint}}", exemplars=True),
    ).data_links([s.logs_link("Log records", _ENDPOINT_LOGS)])
    return [_endpoint_table(), rate, slow]


def _endpoint_table() -> table.Panel:
    by = "service, endpoint"
    count = f"rate(http_request_duration_seconds_count{{{s.SELECT}}}[$__range])"
    requests = f"sum by ({by}) (rate(http_requests_total{{{s.SELECT}}}[$__range]))"
    errors = f"sum by ({by}) (rate(http_requests_errors_total{{{s.SELECT}}}[$__range]))"
    columns = {"A": "Requests", "B": "Errors", "C": "95th percentile", "D": "Mean", "E": "Time share"}
    units = {"Requests": "reqps", "Errors": "percentunit", "95th percentile": "s", "Mean": "s", "Time share": "percentunit"}
    took = f"rate(http_request_duration_seconds_sum{{{s.SELECT}}}[$__range])"
    panel = (
        table.Panel()
        .title("Endpoints")
        .description("Each endpoint over the time range shown. Time share: its part of all time spent; the place to make faster first.")
        .datasource(s.PROMETHEUS)
        .no_value("No traffic")
        .with_target(s.now(f"{requests} > 0", "A"))
        .with_target(s.now(f"({errors} or 0 * {requests}) / ({requests} > 0)", "B"))
        .with_target(
            s.now(
                f"histogram_quantile(0.95, sum by ({by}, le) (rate(http_request_duration_seconds_bucket{{{s.SELECT}}}[$__range]))) >= 0",
                "C",
            )
        )
        .with_target(s.now(f"sum by ({by}) ({took}) / (sum by ({by}) ({count}) > 0)", "D"))
        .with_target(s.now(f"sum by ({by}) ({took}) / on () group_left () (sum({took}) > 0)", "E"))
        .with_transformation(dm.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            s.arranged({"service": "Service", "endpoint": "Endpoint", **{f"Value #{ref}": name for ref, name in columns.items()}}, "Time")
        )
        .sort_by([common.TableSortByFieldState().display_name("Time share").desc(True)])
        .span(24)
        .height(9)
    )
    for name, unit in units.items():
        panel.override_by_name(name, [dm.DynamicConfigValue("unit", unit), dm.DynamicConfigValue("decimals", 2)])
    # A table's links know the row, not the labels.
    link = s.logs_link("Log records", 'endpoint:"${__value.text}"').build()
    panel.override_by_name("Endpoint", [dm.DynamicConfigValue("links", [{"title": link.title, "url": link.url}])])
    return panel
