"""Panels of the API dashboard: the numbers at the top, traffic and errors, and the inside of the services."""

from typing import Final

from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s
from grafana.generator.api_queries import ERROR_LIMITS, ERROR_RATIO, OPERATING_LIMIT, PAGE, RANGE, REQUESTS, quantile, share_under
from grafana.generator.elastic import lines
from grafana.generator.links import limit
from grafana.generator.log_panels import log_lines

SLO_SECONDS: Final = 0.2
"""95 % of the requests are to be faster; an edge of the histogram."""


def at_a_glance() -> list[s.Panel]:
    """The first row: six numbers that say whether users are hurt."""
    up = s.number(
        "Up",
        "Whether the probe from outside gets an answer from every selected service.",
        "none",
        s.query(f"min(service:probe_success:max{{{s.SELECT}}})"),
        s.limits(1, 0.5),
        empty="Not probed",
    ).mappings(
        [
            dm.ValueMap(
                options={
                    "1": dm.ValueMappingResult(text="Up", index=0),
                    "0": dm.ValueMappingResult(text="Down", index=1),
                }
            )
        ]
    )
    return [
        up,
        s.number("Requests", "Requests answered per second.", "reqps", s.query(f"sum({REQUESTS})"), s.no_limits()),
        s.number(
            "Errors",
            f"Share of the requests that end in a 5xx or an unhandled exception. Goal 0.1 %, {ERROR_LIMITS}.",
            "percentunit",
            s.query(ERROR_RATIO),
            s.limits(OPERATING_LIMIT, PAGE),
        ).decimals(2),
        s.number(
            "95th percentile",
            "95 % of the requests are answered within this time. Goal 200 ms, target 500 ms, a ticket at 1 s.",
            "s",
            s.query(quantile(0.95)),
            s.limits(0.5, 1),
        ),
        s.number(
            "Within 200 ms",
            "Share of the requests that are answered within 200 ms; the objective is 95 %.",
            "percentunit",
            s.query(share_under(SLO_SECONDS)),
            s.limits(0.95, 0.9),
        ),
        s.number(
            "Available",
            "Uptime by total time over the time range shown; the objective is 99.9 %.",
            "percentunit",
            s.query(f"min(avg_over_time(service:probe_success:max{{{s.SELECT}}}[$__range]))"),
            s.limits(0.999, 0.99),
            empty="Not probed",
        ).decimals(3),
    ]


def traffic() -> list[s.Panel]:
    """How much, and how much of it fails."""
    by_class = f'sum by (class) (label_replace({REQUESTS}, "class", "${{1}}xx", "status_code", "(.).*"))'
    rate = s.stacked(s.series("Requests by status class", "Requests answered per second.", "reqps", s.query(by_class, "{{class}}")))
    rate = s.colours(rate, {"2xx": "blue", "3xx": "light-blue", "4xx": "orange", "5xx": "red"})
    ratios = s.series(
        "Error ratios",
        f"Share of answers that are client errors (4xx) and server errors (5xx). Lines: {ERROR_LIMITS}.",
        "percentunit",
        s.query(ERROR_RATIO, "5xx", "A"),
        s.query(
            f'(sum(rate(http_requests_total{{{s.SELECT}, status_code=~"4.."}}{RANGE})) or 0 * sum({REQUESTS})) / (sum({REQUESTS}) > 0)',
            "4xx",
            "B",
        ),
    )
    ratios = s.colours(s.lines(ratios, (OPERATING_LIMIT, s.NEAR), (PAGE, s.BEYOND)), {"5xx": "red", "4xx": "orange"})
    exceptions = s.series(
        "Exceptions by class",
        "Unhandled exceptions per second. Click a line for its log records.",
        "ops",
        s.query(f"sum by (exception_type) (rate(http_exceptions_total{{{s.SELECT}}}{RANGE}))", "{{exception_type}}"),
        empty="No exceptions",
    ).data_links([s.logs_link("Log records", 'error_type:"${__field.labels.exception_type}"')])
    errors = log_lines(
        "Latest errors",
        "Error records of the selected services, newest first. A record's trace_id opens its trace, its request_id its story.",
        lines("log_level:(error OR critical) AND service_name:${service:lucene}", limit=100),
    )
    return [rate, ratios, exceptions, errors.span(12).height(8)]


def inside() -> list[s.Panel]:
    """What the services use: dependencies, loop, CPU, pool."""
    dependencies = (
        statetimeline.Panel()
        .title("Dependencies")
        .description("What the health monitor found: 1 is up, 0 is down.")
        .datasource(s.PROMETHEUS)
        .with_target(s.query(f"min by (service, dependency) (dependency_up{{{s.SELECT}}})", "{{service}} {{dependency}}"))
        .mappings(
            [
                dm.ValueMap(
                    options={
                        "1": dm.ValueMappingResult(text="Up", color=s.WELL, index=0),
                        "0": dm.ValueMappingResult(text="Down", color=s.BEYOND, index=1),
                    }
                )
            ]
        )
        .unit("none")
        .no_value("Nothing is checked")
        .span(12)
        .height(8)
    )
    busy = s.series(
        "In flight",
        "Requests being answered, and open WebSockets, at each moment.",
        "none",
        s.query(f"sum by (service) (http_requests_in_progress{{{s.SELECT}}})", "{{service}} requests", "A"),
        s.query(f"sum by (service) (websocket_active_connections{{{s.SELECT}}})", "{{service}} WebSockets", "B"),
    )
    late, used = limit("ALERT_LOOP_LAG_SECONDS"), limit("ALERT_CPU_PERCENT")
    lag = s.series(
        "Event loop lag",
        f"How late the event loop runs what is due; all requests of a worker wait that long. Line: a ticket at {late * 1000:g} ms.",
        "s",
        s.query(f"max by (service) (event_loop_lag_seconds{{{s.SELECT}}})", "{{service}}"),
    )
    cpu = s.series(
        "CPU by worker",
        f"Share of one core that each worker uses; a Python worker cannot use more than one. Line: {used:g} %.",
        "percentunit",
        s.query(f"sum by (service, worker) (rate(process_cpu_seconds_total{{{s.SELECT}}}{RANGE}))", "{{service}} {{worker}}"),
    )
    pool = s.series(
        "Database pool",
        "Share of the pool's connections that are in use. At 100 % requests wait for a connection.",
        "percent",
        s.query(f"max by (service) (db_pool_usage_percent{{{s.SELECT}}})", "{{service}}"),
        empty="No pool",
    ).max(100)
    suggestions = s.series(
        "Suggestions by outcome",
        "Calls to the suggestion service per second.",
        "ops",
        s.query(f"sum by (outcome) (rate(suggestions_total{{{s.SELECT}}}{RANGE}))", "{{outcome}}"),
        empty="No calls",
    )
    return [
        dependencies,
        busy,
        s.lines(lag, (late, s.NEAR)),
        s.lines(cpu, (used / 100, s.NEAR)),
        s.lines(pool, (80, s.NEAR)),
        s.stacked(s.colours(suggestions, {"success": "blue", "failure": "orange", "timeout": "red", "unreachable": "purple"})),
    ]
