"""The dashboard Overview, home of all: are users hurt? Ten seconds, then on to the dashboard that knows more."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as dm

from app.core.telemetry.metrics import HTTP_BUCKETS
from grafana.generator import shared as s
from grafana.generator.elastic import counted
from grafana.generator.general_system_health import services
from grafana.generator.layout import fill
from grafana.generator.links import board_link, limit, rule_link, runbook_url
from grafana.generator.log_panels import LEVELS, bars, linked
from grafana.generator.oncall import SEVERITIES
from grafana.generator.pieces import Column, numbers_of

UID: Final = "nobet-overview"

_R: Final = "[$__rate_interval]"
_REQUESTS: Final = f"sum(rate(http_requests_total{{{s.SELECT}}}{_R}))"
_ERRORS: Final = f"sum(rate(http_requests_errors_total{{{s.SELECT}}}{_R}))"
_SLOWEST_FINE: Final = 0.2
"""Seconds; the objective."""


def overview() -> d.Dashboard:
    """Are users hurt, and where do I look next?"""
    board = s.dashboard(
        UID,
        "Overview",
        "Are users hurt, and where do I look next? The state of everything on one screen; each panel leads to the dashboard behind it.",
        runbook_url(),
        variables=[s.label_variable("service", "Service", 'label_values(up{env=~"$env"}, service)', several=True)],
    )
    return fill(board, [*_at_a_glance(), services(), _alerts()], ("What users notice", _users()), ("What is behind it", _behind()))


def _at_a_glance() -> list[s.Panel]:
    goal, page = limit("ALERT_ERROR_RATE_WARNING"), limit("ALERT_ERROR_RATE")
    slow = limit("ALERT_P95_SECONDS")
    pages = f'count(ALERTS{{{s.SELECT}, alertstate="firing", severity="critical"}}) or on () 0 * max(slo:objective:ratio)'
    return [
        s.number(
            "Pages",
            "Critical alerts that fire now: users are hurt, or data is about to be lost. 0 is the answer to be hoped for.",
            "none",
            s.query(pages),
            s.limits(0.5, 1),
            empty="No Prometheus",
        ).links([board_link("On-call", "nobet-oncall")]),
        s.number(
            "Errors",
            f"Share of the requests that end in a 5xx or an unhandled exception. A ticket at {goal * 100:g} %, a page at {page * 100:g} %.",
            "percentunit",
            s.query(f"({_ERRORS} or on () 0 * {_REQUESTS}) / ({_REQUESTS} > 0)"),
            s.limits(goal, page),
        )
        .decimals(2)
        .links([board_link("Error rate", "nobet-error-rate")]),
        s.number(
            "95 % within",
            f"95 % of the requests are answered within this time. Goal {_SLOWEST_FINE * 1000:g} ms, a ticket at {slow:g} s.",
            "s",
            s.query(_quantile("http_request_duration_seconds")),
            s.limits(HTTP_BUCKETS[HTTP_BUCKETS.index(0.5)], slow),
        ).links([board_link("API performance", "nobet-api-performance")]),
        s.number(
            "Requests",
            "Requests answered per second. None at all is a finding, too.",
            "reqps",
            s.query(_REQUESTS),
            s.no_limits(),
        ).links([board_link("API performance", "nobet-api-performance")]),
        s.number(
            "Least budget left",
            "What is left of the error budget that is used up most, over 30 days. Below 0 a promise is broken; -100 %: or worse.",
            "percentunit",
            s.query(f"clamp_min(min(slo:error_budget_remaining:ratio{{{s.SELECT}}}), -1)"),
            s.limits(0.25, 0),
            empty="No objective",
        )
        .decimals(0)
        .links([board_link("SLO", "nobet-slo")]),
        s.number(
            "Logs behind by",
            f"Age of the oldest log record that is not in Elasticsearch yet. A ticket at {limit('ALERT_SHIPPING_MINUTES'):g} minutes.",
            "s",
            s.query(f"max(shipper_oldest_unshipped_seconds{{{s.SELECT}}})"),
            s.limits(60, limit("ALERT_SHIPPING_MINUTES") * 60),
            empty="No shipper",
        )
        .decimals(0)
        .links([board_link("Log pipeline", "nobet-log-pipeline")]),
    ]


def _alerts() -> table.Panel:
    firing = f'ALERTS{{{s.SELECT}, alertstate="firing", severity!="none"}}'
    since = f"max by (alertname, service, severity) (ALERTS_FOR_STATE{{{s.SELECT}}} and ignoring (alertstate) {firing})"
    panel = numbers_of(
        "Alerts",
        "What fires now. The name leads to its rule, which links its runbook entry (what to do first) and the dashboard that shows it.",
        {"severity": "Severity", "alertname": "Alert", "service": "Service"},
        (Column("For", "s", f"time() - {since}", 0),),
        sort="Severity",  # critical comes first in the alphabet, too
        least_first=True,
        empty="Nothing fires",
    ).height(6)
    states = {name: {"color": colour, "index": place} for place, (name, colour) in enumerate(SEVERITIES.items())}
    panel.override_by_name(
        "Severity",
        [
            dm.DynamicConfigValue("mappings", [{"type": "value", "options": states}]),
            dm.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ],
    )
    return linked(panel, "Alert", [rule_link()])


def _quantile(histogram: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) (rate({histogram}_bucket{{{s.SELECT}}}{_R}))) >= 0"


def _users() -> list[s.Panel]:
    by_class = f"""
sum by (class) (label_replace(rate(http_requests_total{{{s.SELECT}}}{_R}), "class", "${{1}}xx", "status_code", "(.).*"))
""".strip()
    traffic = s.series("Requests by status class", "Requests answered per second.", "reqps", s.query(by_class, "{{class}}")).data_links(
        [board_link("API performance", "nobet-api-performance")]
    )
    took = s.series(
        "How long people wait",
        "95 % of the requests are answered within this time, and the answer of 95 % of the voice turns begins within this time.",
        "s",
        s.query(_quantile("http_request_duration_seconds"), "requests", "A", exemplars=True),
        s.query(f"({_quantile('end_to_end_turn_duration_ms')}) / 1000", "voice turns", "B"),
    ).data_links([board_link("API performance", "nobet-api-performance"), board_link("Performance analysis", "nobet-performance-analysis")])
    done = s.series(
        "Business",
        "Per minute: calls begun, tasks done, tasks that failed, logins.",
        "opm",
        s.query(f"60 * sum(rate(calls_total{{{s.SELECT}}}{_R}))", "calls", "A"),
        s.query(f'60 * sum(rate(tasks_executed_total{{{s.SELECT}, status="success"}}{_R}))', "tasks done", "B"),
        s.query(f'60 * sum(rate(tasks_executed_total{{{s.SELECT}, status="failure"}}{_R}))', "tasks failed", "C"),
        s.query(f'60 * sum(rate(logins_total{{{s.SELECT}, outcome="success"}}{_R}))', "logins", "D"),
    ).data_links([board_link("Workflow analysis", "nobet-workflow-analysis")])
    return [
        s.stacked(s.colours(traffic, {"2xx": "blue", "3xx": "light-blue", "4xx": "orange", "5xx": "red"})).span(8),
        s.lines(took, (_SLOWEST_FINE, s.WELL), (limit("ALERT_P95_SECONDS"), s.NEAR)).span(8),
        s.colours(done, {"tasks failed": "red", "tasks done": "blue", "calls": "purple", "logins": "light-blue"}).span(8),
    ]


def _behind() -> list[s.Panel]:
    records = bars(
        "Log records by level",
        "How many records of each level are in Elasticsearch. Logs explorer shows them, Top errors counts the bad ones.",
        counted("service_name:${service:lucene}", "log_level"),
        empty="No record",
        colours=LEVELS,
    ).data_links([board_link("Logs explorer", "nobet-logs-explorer"), board_link("Top errors", "nobet-top-errors")])
    machine = s.series(
        "Machine",
        "CPU, memory and disk of the host.",
        "percent",
        s.query(f"max(system_cpu_usage_percent{{{s.SELECT}}})", "CPU", "A"),
        s.query(f"max(system_memory_usage_percent{{{s.SELECT}}})", "memory", "B"),
        s.query(f"max(system_disk_usage_percent{{{s.SELECT}}})", "disk", "C"),
        empty="No metrics of the services chosen",
    ).data_links([board_link("System", "nobet-system")])
    spent, batches = (f"sum(rate(shipper_bulk_duration_seconds_{part}{{{s.SELECT}}}{_R}))" for part in ("sum", "count"))
    waits = s.series(
        "Stores",
        "95 % of the database queries are answered within this time; mean time that Elasticsearch takes to write a batch of records.",
        "s",
        s.query(_quantile("db_query_duration_seconds"), "database query", "A"),
        s.query(f"{spent} / ({batches} > 0)", "batch of records", "B"),
        empty="No queries",
    ).data_links([board_link("Database, Redis, Elasticsearch", "nobet-stores")])
    machine = s.lines(
        s.colours(machine.max(100), {"CPU": "blue", "memory": "purple", "disk": "orange"}), (limit("ALERT_CPU_PERCENT"), s.NEAR)
    )
    return [records.span(8), machine.span(8), waits.span(8)]
