"""The dashboard Workflow analysis: what people do with the product, and whether they get it."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.elastic import rows as documents
from grafana.generator.layout import fill
from grafana.generator.links import limit, runbook_url, story_link
from grafana.generator.log_panels import linked, rows
from grafana.generator.pieces import Column, numbers_of
from grafana.generator.workflow_product import product, security

UID: Final = "nobet-workflow-analysis"

_R: Final = "[$__rate_interval]"
_TASKS: Final = f"tasks_executed_total{{{s.SELECT}}}"
_FAILED: Final = f'tasks_executed_total{{{s.SELECT}, status="failure"}}'
_GOOD: Final = f'tasks_executed_total{{{s.SELECT}, status="success"}}'


def workflow_analysis() -> d.Dashboard:
    """What do people do with the product, and do they get it?"""
    services = s.label_variable("service", "Service", 'label_values(calls_total{env=~"$env"}, service)', several=True)
    board = s.dashboard(
        UID,
        "Workflow analysis",
        "What do people do with the product, and do they get it? Calls, business tasks, tracked events, and who signs in.",
        runbook_url(),
        variables=[services],
    )
    return fill(board, _at_a_glance(), ("Tasks", _tasks()), ("Calls", _calls()), ("What people do", product()), ("Signing in", security()))


def _in_range(counter: str) -> str:
    return f"sum(increase({counter}[$__range]))"


def _at_a_glance() -> list[s.Panel]:
    failing = limit("ALERT_TASK_FAILURE_RATE")
    return [
        s.number(
            "Calls",
            "Voice calls begun in the time range shown.",
            "none",
            s.now(_in_range(f"calls_total{{{s.SELECT}}}"), legend="calls"),
            s.no_limits(),
            empty="No calls",
        ).decimals(0),
        s.number(
            "Mean call",
            "Mean length of the calls that ended within the last hour. A forgotten call counts until the last thing that happened in it.",
            "s",
            s.query(f"max(average_call_duration_seconds{{{s.SELECT}}})"),
            s.no_limits(),
            empty="No call ended",
        ).decimals(1),
        s.number(
            "Tasks executed",
            "Business tasks executed in the time range shown: reservations, cancellations, call-backs.",
            "none",
            s.now(_in_range(_TASKS), legend="tasks"),
            s.no_limits(),
            empty="No tasks",
        ).decimals(0),
        s.number(
            "Tasks done",
            f"Share of the tasks in the time range shown that succeeded. A ticket when more than {failing * 100:g} % fail.",
            "percentunit",
            s.now(f"{_in_range(_GOOD)} / ({_in_range(_TASKS)} > 0)", legend="done"),
            s.limits(1 - failing / 2, 1 - failing),
            empty="No tasks",
        ).decimals(1),
        s.number(
            "Calls left",
            "Share of the calls that nobody hung up: nothing happened in them for CALL_IDLE_SECONDS.",
            "percentunit",
            s.now(
                f'{_in_range(f"""calls_ended_total{{{s.SELECT}, reason="forgotten"}}""")}'
                f" / ({_in_range(f'calls_ended_total{{{s.SELECT}}}')} > 0)",
                legend="left",
            ),
            s.limits(0.1, 0.3),
            empty="No call ended",
        ).decimals(1),
        s.number(
            "Tracked events",
            "Things that people did, tracked in the time range shown.",
            "none",
            s.now(_in_range(f"tracked_events_total{{{s.SELECT}}}"), legend="events"),
            s.no_limits(),
            empty="Nothing tracked",
        ).decimals(0),
    ]


def _tasks() -> list[s.Panel]:
    failing = limit("ALERT_TASK_FAILURE_RATE")
    use = s.series(
        "Tasks by kind",
        "Tasks executed per minute. Click a line for its records.",
        "opm",
        s.query(f"60 * sum by (task) (rate({_TASKS}{_R}))", "{{task}}"),
        empty="No tasks",
    ).data_links([s.logs_link("Records", 'event:("call.task_completed" OR "call.task_failed") AND task:"${__field.labels.task}"')])
    done = s.series(
        "Success by kind",
        f"Share of the tasks that succeed. Line: a ticket below {(1 - failing) * 100:g} %. Click a line for what failed.",
        "percentunit",
        s.query(f"sum by (task) (rate({_GOOD}{_R})) / (sum by (task) (rate({_TASKS}{_R})) > 0)", "{{task}}"),
        empty="No tasks",
    ).data_links([s.logs_link("Failures", 'event:"call.task_failed" AND task:"${__field.labels.task}"')])
    table = numbers_of(
        "Tasks",
        "Each kind of task over the time range shown: use, success ratio, and its part of all tasks.",
        {"task": "Task"},
        (
            Column("Executed", "none", f"sum by (task) (increase({_TASKS}[$__range]))", 0),
            Column("Failed", "none", f"sum by (task) (increase({_FAILED}[$__range]))", 0),
            Column(
                "Success",
                "percentunit",
                f"sum by (task) (increase({_GOOD}[$__range])) / (sum by (task) (increase({_TASKS}[$__range])) > 0)",
                1,
            ),
            Column(
                "Part of all",
                "percentunit",
                f"sum by (task) (increase({_TASKS}[$__range])) / on () group_left () ({_in_range(_TASKS)} > 0)",
                1,
            ),
        ),
        sort="Executed",
        empty="No tasks",
    )
    failed = rows(
        "Tasks that failed",
        "The latest: outcome and reason say why; refused is the business saying no. The call leads to its story.",
        documents('event:"call.task_failed" AND service_name:${service:lucene}', s.LOGS, limit=100),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "task": ("Task", ""),
            "outcome": ("Outcome", ""),
            "reason": ("Reason", ""),
            "call_sid": ("Call", ""),
        },
        empty="No task failed",
    )
    linked(failed, "Call", [story_link()])
    return [s.stacked(use), s.lines(done.max(1), (1 - failing, s.NEAR)), table.span(12).height(8), failed.span(12).height(8)]


def _calls() -> list[s.Panel]:
    calls = s.series(
        "Calls begun and ended",
        "Calls per minute: begun, ended by hanging up, and forgotten ones.",
        "opm",
        s.query(f"60 * sum(rate(calls_total{{{s.SELECT}}}{_R}))", "begun", "A"),
        s.query(f"60 * sum by (reason) (rate(calls_ended_total{{{s.SELECT}}}{_R}))", "{{reason}}", "B"),
        empty="No calls",
    )
    buckets = f"sum by (le) (rate(call_duration_seconds_bucket{{{s.SELECT}}}{_R}))"
    length = s.series(
        "Length of calls",
        "Mean length over an hour, and the length that half and nine tenths of the calls do not exceed.",
        "s",
        s.query(f"max(average_call_duration_seconds{{{s.SELECT}}})", "mean", "A"),
        s.query(f"histogram_quantile(0.5, {buckets}) >= 0", "50 %", "B"),
        s.query(f"histogram_quantile(0.9, {buckets}) >= 0", "90 %", "C"),
        empty="No call ended",
    )
    return [s.colours(calls, {"begun": "blue", "hangup": "light-blue", "forgotten": "orange"}), length]
