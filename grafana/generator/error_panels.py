"""Panels of the dashboard Error rate."""

from typing import Final

from grafana_foundation_sdk.builders import table

from grafana.generator import shared as s
from grafana.generator.api_queries import ERROR_LIMITS, ERROR_RATIO, ERRORS, OPERATING_LIMIT, PAGE, RANGE, REQUESTS
from grafana.generator.elastic import lines
from grafana.generator.links import board_link
from grafana.generator.log_panels import linked, log_lines
from grafana.generator.pieces import Column, numbers_of

_CLIENT_ERRORS: Final = f'rate(http_requests_total{{{s.SELECT}, status_code=~"4.."}}{RANGE})'
_CLIENT_ERROR_RATIO: Final = f"(sum({_CLIENT_ERRORS}) or 0 * sum({REQUESTS})) / (sum({REQUESTS}) > 0)"
_ALL_REQUESTS: Final = f"sum(increase(http_requests_total{{{s.SELECT}}}[$__range]))"

_STATUS_COLOURS: Final = {"401": "orange", "404": "light-blue", "429": "blue", "500": "red", "502": "purple", "503": "dark-purple"}
"""The frequent ones; the others get what is left."""

GOAL: Final = 0.001
"""SLO: share of requests that may fail."""


def _ratio_by(label: str) -> str:
    requests = f"sum by ({label}) ({REQUESTS})"
    return f"(sum by ({label}) ({ERRORS}) or 0 * {requests}) / ({requests} > 0)"


def _so_many(counter: str, more: str = "") -> str:
    """How many in the time range; 0 rather than nothing while there is traffic."""
    return f"sum(increase({counter}{{{s.SELECT}{more}}}[$__range])) or 0 * {_ALL_REQUESTS}"


def glance() -> list[s.Panel]:
    """The first row: six numbers."""
    kinds = "service, endpoint, exception_type"
    now = f"count by ({kinds}) (http_exceptions_total{{{s.SELECT}}})"
    before = f"count by ({kinds}) (last_over_time(http_exceptions_total{{{s.SELECT}}}[1d] offset 1h))"
    return [
        s.number(
            "Server errors",
            f"Share of the requests that end in a 5xx or an unhandled exception. Goal {GOAL * 100:g} %, {ERROR_LIMITS}.",
            "percentunit",
            s.query(ERROR_RATIO),
            s.limits(OPERATING_LIMIT, PAGE),
        ).decimals(2),
        s.number(
            "Client errors",
            "Share of the requests that end in a 4xx. Many at once after a deployment are usually our fault.",
            "percentunit",
            s.query(_CLIENT_ERROR_RATIO),
            s.limits(0.1, 0.3),
        ).decimals(2),
        s.number(
            "Failed requests",
            "Requests in the time range shown that ended in a 5xx or an unhandled exception.",
            "short",
            s.query(_so_many("http_requests_errors_total")),
            s.no_limits(),
        ).decimals(0),
        s.number(
            "Unavailable",
            "Answers 503 in the time range shown: a dependency was away or the service overloaded.",
            "short",
            s.query(_so_many("http_requests_total", ', status_code="503"')),
            s.limits(1, 5),
        ).decimals(0),
        s.number(
            "Worst endpoint",
            "Share of failed requests of the endpoint that fails most.",
            "percentunit",
            s.query(f"max({_ratio_by('service, endpoint')})"),
            s.limits(OPERATING_LIMIT, PAGE),
        ).decimals(1),
        s.number(
            "New kinds",
            "Kinds of unhandled exceptions, by endpoint, that appeared in the last hour and not in the day before it.",
            "short",
            s.now(f"count({now} unless {before}) or 0 * {_ALL_REQUESTS}", legend="new kinds"),  # a day back at each point would be slow
            s.limits(1, 5),
        ).data_links([board_link("Top errors", "nobet-top-errors", keep=("env", "service"))]),
    ]


def ratios() -> list[s.Panel]:
    """How much fails, of what kind."""
    kinds = s.series(
        "Server and client errors",
        f"Share of the answers that are 5xx and 4xx. Lines: goal {GOAL * 100:g} %, {ERROR_LIMITS}.",
        "percentunit",
        s.query(ERROR_RATIO, "5xx", "A"),
        s.query(_CLIENT_ERROR_RATIO, "4xx", "B"),
    )
    kinds = s.colours(s.lines(kinds, (GOAL, s.WELL), (OPERATING_LIMIT, s.NEAR), (PAGE, s.BEYOND)), {"5xx": "red", "4xx": "orange"})
    codes = s.series(
        "Failures by status",
        "Answers 4xx and 5xx per second. Click a line for its log records.",
        "reqps",
        s.query(f'sum by (status_code) (rate(http_requests_total{{{s.SELECT}, status_code=~"4..|5.."}}{RANGE}))', "{{status_code}}"),
        empty="No failures",
    ).data_links([s.logs_link("Log records", "status_code:${__field.labels.status_code}")])
    exceptions = s.series(
        "Exceptions by class",
        "Unhandled exceptions per second. Click a line for its log records.",
        "ops",
        s.query(f"sum by (exception_type) (rate(http_exceptions_total{{{s.SELECT}}}{RANGE}))", "{{exception_type}}"),
        empty="No exceptions",
    ).data_links([s.logs_link("Log records", 'error_type:"${__field.labels.exception_type}"')])
    clients = s.series(
        "Refused tokens and logins",
        "Requests per second that were refused for their token, and failed logins; a burst may be an attack.",
        "ops",
        s.query(f"sum by (reason) (rate(auth_token_errors_total{{{s.SELECT}}}{RANGE}))", "token {{reason}}", "A"),
        s.query(f'sum by (outcome) (rate(logins_total{{{s.SELECT}, outcome!="success"}}{RANGE}))', "login {{outcome}}", "B"),
        empty="Nobody is refused",
    )
    codes = s.colours(s.stacked(codes), _STATUS_COLOURS)
    return [kinds, codes, s.stacked(exceptions), clients]


def places() -> list[s.Panel]:
    """Where it fails: service, instance, endpoint."""
    ratio = f"Share of failed requests. One line above the others means that it is not the code. Line: a page at {PAGE * 100:g} %."
    by_service = s.series("By service", ratio, "percentunit", s.query(_ratio_by("service"), "{{service}}"))
    by_instance = s.series("By instance", ratio, "percentunit", s.query(_ratio_by("service, instance"), "{{service}} {{instance}}"))
    latest = log_lines(
        "Latest errors",
        "Error records of the selected services, newest first. A record's trace_id opens its trace, its request_id its story.",
        lines("log_level:(error OR critical) AND service_name:${service:lucene}", limit=100),
    )
    return [s.lines(by_service, (PAGE, s.BEYOND)), s.lines(by_instance, (PAGE, s.BEYOND)), _endpoints(), latest.span(12).height(9)]


def dependencies() -> list[s.Panel]:
    """What the services lean on, and what breaks off on the way to the client."""
    return [
        s.series(
            "Calls to other services",
            "Calls per second that did not succeed. Refused ones were not made, because the circuit is open.",
            "ops",
            s.query(
                f'sum by (dependency, outcome) (rate(external_requests_total{{{s.SELECT}, outcome!="success"}}{RANGE}))',
                "{{dependency}} {{outcome}}",
            ),
            empty="No calls",
        ).data_links([s.logs_link("Log records", "event:(suggestion.* OR call.stage_failed OR circuit.*)")]),
        s.series(
            "Database",
            "Failed and abandoned queries, and connections that could not be had, per second.",
            "ops",
            s.query(f'sum by (outcome) (rate(db_queries_total{{{s.SELECT}, outcome!="success"}}{RANGE}))', "query {{outcome}}", "A"),
            s.query(f"sum by (reason) (rate(db_connection_failures_total{{{s.SELECT}}}{RANGE}))", "connection {{reason}}", "B"),
            empty="No database",
        ).data_links([s.logs_link("Log records", "event:db.query.failed")]),
        s.series(
            "Redis",
            "Look-ups and limit checks per second that Redis did not answer; requests go on without it.",
            "ops",
            s.query(f'sum(rate(cache_lookups_total{{{s.SELECT}, outcome="error"}}{RANGE}))', "cache", "A"),
            s.query(f'sum(rate(rate_limit_checks_total{{{s.SELECT}, outcome="error"}}{RANGE}))', "rate limit", "B"),
            empty="No Redis",
        ).data_links([s.logs_link("Log records", "event:cache.failed")]),
        s.series(
            "Broken connections",
            "WebSockets per second that did not end in order, and chat messages that no reader confirmed.",
            "ops",
            s.query(
                f'sum by (close_code) (rate(websocket_closed_total{{{s.SELECT}, close_code!~"1000|1001"}}{RANGE}))',
                "close {{close_code}}",
                "A",
            ),
            s.query(f"sum by (reason) (rate(chat_delivery_failures_total{{{s.SELECT}}}{RANGE}))", "chat {{reason}}", "B"),
            empty="No WebSockets",
        ).data_links([s.logs_link("Log records", "event:(websocket.closed OR chat.message.undelivered)")]),
    ]


def _endpoints() -> table.Panel:
    by = "service, method, endpoint, status_code"
    failed = f'sum by ({by}) (increase(http_requests_total{{{s.SELECT}, status_code=~"4..|5.."}}[$__range])) > 0'
    panel = numbers_of(
        "By endpoint and status",
        "Requests that failed in the time range shown. An endpoint leads to its log records.",
        {"service": "Service", "method": "Method", "endpoint": "Endpoint", "status_code": "Status"},
        [Column("Requests", "short", failed, 0)],
        sort="Requests",
        empty="No failures",
    )
    link = s.logs_link("Log records", 'endpoint:"${__value.text}" AND status_code:[400 TO *]')
    return linked(panel, "Endpoint", [link]).span(12)
