"""Panels of the dashboard On-call about delivery and about the watch itself: Alertmanager, Prometheus, targets."""

from typing import Final

from grafana.generator import shared as s
from grafana.generator.links import limit
from grafana.generator.pieces import Column, bars, numbers_of

_ENV: Final = 'env=~"$env"'
_R: Final = "[$__rate_interval]"
_OUTCOMES: Final = {"sent": "blue", "failed": "red"}


def delivery() -> list[s.Panel]:
    """What on-call and Alertmanager sent, and whether it arrived."""
    tried = f"sum by (channel) (increase(oncall_notifications_total{{{_ENV}}}[$__range]))"
    sent = f'sum by (channel) (increase(oncall_notifications_total{{{_ENV}, outcome="sent"}}[$__range]))'
    channels = numbers_of(
        "Channels of on-call",
        "Each channel over the time range shown: messages tried, the part that arrived, and how long 95 % of them took at most.",
        {"channel": "Channel"},
        (
            Column("Messages", "none", f"{tried} > 0", 0),
            Column("Arrived", "percentunit", f"{sent} / ({tried} > 0)", 1),
            Column(
                "95 % within",
                "s",
                f"histogram_quantile(0.95, sum by (channel, le) (increase(oncall_delivery_seconds_bucket{{{_ENV}}}[$__range]))) >= 0",
                2,
            ),
        ),
        sort="Messages",
        empty="No message",
    )
    messages = s.series(
        "Messages of on-call",
        "Messages of five minutes, by how the try ended. Click a line for the records of what failed.",
        "none",
        s.query(f"300 * sum by (outcome) (rate(oncall_notifications_total{{{_ENV}}}{_R}))", "{{outcome}}"),
        empty="On-call is down",
    ).data_links([s.logs_link("Failures", 'event:"oncall.delivery_failed"')])
    handed = s.series(
        "Notifications of Alertmanager",
        "Notifications of five minutes that Alertmanager sent, to on-call by webhook or by mail, and those that failed.",
        "none",
        s.query(f"300 * sum by (integration) (rate(alertmanager_notifications_total{{{_ENV}}}{_R})) > 0", "{{integration}}", "A"),
        s.query(f"300 * sum(rate(alertmanager_notifications_failed_total{{{_ENV}}}{_R}))", "failed", "B"),
        empty="Alertmanager is down",
    )
    hidden = s.series(
        "Alerts in Alertmanager",
        "Alerts by what becomes of them: suppressed ones are silenced, or their cause fires, too.",
        "none",
        s.query(f"max by (state) (alertmanager_alerts{{{_ENV}}})", "{{state}}", "A"),
        s.query(f'max(alertmanager_silences{{{_ENV}, state="active"}})', "silences", "B"),
        empty="Alertmanager is down",
    )
    return [
        channels.span(12).height(8),
        s.stacked(s.colours(messages, _OUTCOMES)),
        s.colours(handed, {"failed": "red"}),
        s.colours(hidden, {"active": "orange", "suppressed": "purple", "unprocessed": "red", "silences": "blue"}),
    ]


def watch() -> list[s.Panel]:
    """Targets, rules, and Prometheus itself."""
    answered = limit("ALERT_TARGET_UP_RATIO")
    targets = numbers_of(
        "Targets",
        f"Each job over the time range shown: the part of the scrapes that its worst target answered, samples of a scrape, and how long it "
        f"takes. A ticket when less than {answered * 100:g} % are answered.",
        {"job": "Job"},
        (
            Column("Answered", "percentunit", f"min by (job) (avg_over_time(up{{{_ENV}}}[$__range]))", 1),
            Column("Samples", "none", f"sum by (job) (scrape_samples_scraped{{{_ENV}}})", 0),
            Column("Takes", "s", f"max by (job) (scrape_duration_seconds{{{_ENV}}})", 3),
        ),
        sort="Samples",
        empty="No Prometheus",
    )
    rules = bars(
        "Evaluation of rules",
        "How long the last evaluation of each group of rules took. All together are to stay below 200 ms.",
        "s",
        s.now(
            f"max by (group) (label_replace(prometheus_rule_group_last_duration_seconds{{{_ENV}}},"
            ' "group", "$1", "rule_group", ".*;nobet.(.*)"))',
            legend="{{group}}",
        ),
        steps=s.limits(0.1, 0.2),
        empty="No rules",
    )
    troubles = s.series(
        "Troubles of Prometheus",
        "In five minutes: rules that could not be evaluated, alerts that did not reach Alertmanager, groups skipped for lack of time.",
        "none",
        s.query(f"300 * sum(rate(prometheus_rule_evaluation_failures_total{{{_ENV}}}{_R}))", "failed evaluations", "A"),
        s.query(f"300 * sum(rate(prometheus_notifications_errors_total{{{_ENV}}}{_R}))", "alerts not handed over", "B"),
        s.query(f"300 * sum(rate(prometheus_rule_group_iterations_missed_total{{{_ENV}}}{_R}))", "groups skipped", "C"),
        empty="No Prometheus",
    )
    series = s.series(
        "Time series",
        "Series that Prometheus keeps in memory. A sudden rise is a label gone wild.",
        "short",
        s.query(f"sum(prometheus_tsdb_head_series{{{_ENV}}})", "series"),
        empty="No Prometheus",
    )
    refused = s.series(
        "Refused by on-call",
        "Webhooks, links, buttons and sign-ins of five minutes that on-call refused, by why: somebody tries, or a secret does not match.",
        "none",
        s.query(f"300 * sum by (reason) (rate(oncall_refused_total{{{_ENV}}}{_R}))", "{{reason}}"),
        empty="On-call is down",
    ).data_links([s.logs_link("Records", 'event:"oncall.refused"')])
    beats = s.series(
        "Heartbeats to the outside",
        "Heartbeats of five minutes, by outcome. They go where ONCALL_HEARTBEAT_URL points to: a monitor that pages when they stay away.",
        "none",
        s.query(f"300 * sum by (outcome) (rate(oncall_heartbeats_total{{{_ENV}}}{_R}))", "{{outcome}}"),
        empty="On-call is down",
    )
    return [
        targets.span(12).height(10),
        rules.height(10),
        s.colours(troubles, {"failed evaluations": "red", "alerts not handed over": "orange", "groups skipped": "purple"}).span(12),
        series.span(12),
        refused.span(12),
        s.colours(beats, _OUTCOMES).span(12),
    ]
