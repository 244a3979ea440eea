"""Panels of the dashboard Performance analysis about failures and about single turns."""

from typing import Final

from grafana.generator import shared as s
from grafana.generator.elastic import rows as documents
from grafana.generator.links import limit, story_link
from grafana.generator.log_panels import linked, rows
from grafana.generator.pieces import Column, numbers_of

_R: Final = "[$__rate_interval]"
_REFUSED_IS_FINE: Final = 'outcome=~"failure|timeout|unreachable"'


def failures() -> list[s.Panel]:
    """What fails, at which stage, and whether it is left alone for a while."""
    requests = f"sum by (stage) (rate(voice_stage_requests_total{{{s.SELECT}}}{_R}))"
    failed = f"sum by (stage) (rate(voice_stage_requests_total{{{s.SELECT}, {_REFUSED_IS_FINE}}}{_R}))"
    ratio = s.series(
        "Failures by stage",
        f"Share of the requests to each stage that fail or time out. A task that the business refuses is none. "
        f"Line: a ticket at {limit('ALERT_STAGE_FAILURE_RATE') * 100:g} %.",
        "percentunit",
        s.query(f"({failed} or 0 * {requests}) / ({requests} > 0)", "{{stage}}"),
        empty="No turns",
    ).data_links([s.logs_link("Failures", 'event:"call.stage_failed" AND stage:"${__field.labels.stage}"')])
    outcomes = s.series(
        "Requests by outcome",
        "Requests to all stages per second, by how they ended.",
        "ops",
        s.query(f"sum by (outcome) (rate(voice_stage_requests_total{{{s.SELECT}}}{_R}))", "{{outcome}}"),
        empty="No turns",
    )
    circuits = s.series(
        "Circuits",
        "A stage that fails again and again is left alone for a while: 0 asked as usual, 1 tried again, 2 left alone.",
        "none",
        s.query(f"max by (dependency) (circuit_breaker_state{{{s.SELECT}}})", "{{dependency}}"),
        empty="No calls yet",
    ).max(2)
    palette = {"success": "blue", "failure": "orange", "timeout": "red", "unreachable": "purple", "refused": "text"}
    return [
        s.lines(ratio, (limit("ALERT_STAGE_FAILURE_RATE"), s.NEAR)).span(8),
        s.stacked(s.colours(outcomes, palette)).span(8),
        s.lines(circuits, (2, s.BEYOND)).span(8),
        _stage_table(),
    ]


def _stage_table() -> s.Panel:
    by = "stage"
    everything = f"sum by ({by}) (increase(voice_stage_requests_total{{{s.SELECT}}}[$__range]))"

    def share(outcome: str) -> str:
        some = f'sum by ({by}) (increase(voice_stage_requests_total{{{s.SELECT}, outcome="{outcome}"}}[$__range]))'
        return f"{some} / ({everything} > 0)"

    return numbers_of(
        "Stages",
        "Each stage over the time range shown: how often it was asked and how that ended.",
        {"stage": "Stage"},
        (
            Column("Requests", "none", f"{everything} > 0", 0),
            *(
                Column(heading, "percentunit", share(outcome), 1)
                for heading, outcome in {
                    "Failed": "failure",
                    "Timed out": "timeout",
                    "Unreachable": "unreachable",
                    "Refused": "refused",
                }.items()
            ),
        ),
        sort="Requests",
        empty="No turns",
    ).height(7)


def single_turns() -> list[s.Panel]:
    """The slowest turns and the latest failures, each with a way to its story."""
    of_services = "service_name:${service:lucene}"
    columns = {
        "timestamp": ("When", "dateTimeAsIso"),
        "duration_ms": ("Took", "ms"),
        "ttft_ms": ("First token", "ms"),
        "call_sid": ("Call", ""),
        "request_id": ("Request", ""),
    }
    turns = rows(
        "Slowest turns",
        "The slowest of the latest 500 turns: time to the first sound, and to the model's first token. Ids lead to their story.",
        documents(f'event:"call.turn_completed" AND {of_services}', s.LOGS),
        columns,
        empty="No turns",
        sort="Took",
    )
    for column in ("Call", "Request"):
        linked(turns, column, [story_link()])
    failed = rows(
        "Latest failures",
        "Stages that failed: which, how, with which code, and after how long. The request leads to its story.",
        documents(f'event:"call.stage_failed" AND {of_services}', s.LOGS, limit=100),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "stage": ("Stage", ""),
            "outcome": ("Outcome", ""),
            "error_code": ("Code", ""),
            "duration_ms": ("After", "ms"),
            "request_id": ("Request", ""),
        },
        empty="No stage failed",
    )
    linked(failed, "Request", [story_link()])
    return [turns.span(12).height(9), failed.span(12).height(9)]
