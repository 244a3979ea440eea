"""The dashboard On-call: who is called, how quickly people answer, and whether the watch itself is awake."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import limit, rule_link, runbook_url
from grafana.generator.log_panels import linked
from grafana.generator.oncall_watch import delivery, watch
from grafana.generator.pieces import Column, numbers_of

UID: Final = "nobet-oncall"

_ENV: Final = 'env=~"$env"'
_FIRING: Final = f'ALERTS{{{_ENV}, alertstate="firing", severity!="none"}}'
SEVERITIES: Final = {"critical": "red", "warning": "orange", "info": "blue"}


def oncall() -> d.Dashboard:
    """Does somebody answer, and would a page arrive?"""
    board = s.dashboard(
        UID,
        "On-call and the watch itself",
        "Does somebody answer, and would a page arrive? Alerts, incidents, deliveries, and the watch over the watch.",
        runbook_url(),
        variables=[],
        select=s.ALL_SERVICES,
    )
    return fill(board, _at_a_glance(), ("Alerts and people", _people()), ("Delivery", delivery()), ("The watch itself", watch()))


def _firing(severity: str) -> str:
    return f'count(ALERTS{{{_ENV}, alertstate="firing", severity="{severity}"}}) or on () 0 * max(up{{{_ENV}, job="prometheus"}})'


def _at_a_glance() -> list[s.Panel]:
    patience = limit("ALERT_UNACKNOWLEDGED_MINUTES") * 60
    return [
        s.number(
            "Pages",
            "Critical alerts that fire now: users are hurt, or data is about to be lost.",
            "none",
            s.query(_firing("critical")),
            s.limits(0.5, 1),
            empty="No Prometheus",
        ),
        s.number(
            "Tickets",
            "Warnings that fire now: to be looked at today.",
            "none",
            s.query(_firing("warning")),
            s.limits(1, 10),
            empty="No Prometheus",
        ),
        s.number(
            "Unanswered for",
            f"How long the oldest page has waited for somebody; 0 when there is none. A page of its own at {patience / 60:g} minutes.",
            "s",
            s.query(f"max(oncall_oldest_unacknowledged_seconds{{{_ENV}}})"),
            s.limits(patience / 3, patience),
            empty="On-call is down",
        ).decimals(0),
        s.number(
            "Messages waiting",
            "Messages that the on-call service has yet to send.",
            "none",
            s.query(f"max(oncall_pending_notifications{{{_ENV}}})"),
            s.limits(5, 20),
            empty="On-call is down",
        ),
        s.number(
            "Watchdog",
            "Time since the alert that always fires came last. When it stays away, alerting is broken, and on-call pages by itself.",
            "s",
            s.query(f"min(oncall_watchdog_age_seconds{{{_ENV}}})"),
            s.limits(120, 300),
            empty="On-call is down",
        ).decimals(0),
        s.number(
            "Silences",
            "Silences in force in Alertmanager. Each hides alerts until it ends: see who made it, why, and until when, under Alerting.",
            "none",
            s.query(f'max(alertmanager_silences{{{_ENV}, state="active"}})'),
            s.limits(1, 5),
            empty="Alertmanager is down",
        ).links([d.DashboardLink("All silences").url("/alerting/silences?alertmanager=Alertmanager").type(dm.DashboardLinkType.LINK)]),
    ]


def _mean(histogram: str) -> str:
    spent, number = (f"sum(increase({histogram}_{part}{{{_ENV}}}[$__range]))" for part in ("sum", "count"))
    return f"{spent} / ({number} > 0)"


def _people() -> list[s.Panel]:
    firing = s.series(
        "Firing alerts",
        "Alerts that fire, by severity.",
        "none",
        *(s.query(_firing(severity), severity, ref) for ref, severity in zip("ABC", SEVERITIES, strict=True)),
        empty="No Prometheus",
    )
    answers = s.series(
        "Time to tell, to answer, to end",
        "Means over the time range that ends at each point: until the first message arrived, until somebody acknowledged (MTTA), "
        "until the incident was over (MTTR).",
        "s",
        s.query(_mean("oncall_notify_seconds"), "first message", "A"),
        s.query(_mean("oncall_acknowledge_seconds"), "acknowledged (MTTA)", "B"),
        s.query(_mean("oncall_resolve_seconds"), "over (MTTR)", "C"),
        empty="No incident",
    )
    incidents = s.series(
        "Incidents opened",
        "Incidents opened in the time range that ends at each point, by severity: the load of a shift.",
        "none",
        s.query(f"sum by (severity) (increase(oncall_incidents_total{{{_ENV}}}[$__range]))", "{{severity}}"),
        empty="On-call is down",
    )
    return [
        s.stacked(s.colours(firing, SEVERITIES)),
        s.colours(answers, {"first message": "blue", "acknowledged (MTTA)": "orange", "over (MTTR)": "purple"}),
        s.colours(incidents, SEVERITIES),
        _noisiest(),
    ]


def _noisiest() -> s.Panel:
    samples = f"sum by (alertname, service, severity) (count_over_time({_FIRING}[$__range]))"
    # As many samples as Prometheus took of itself are the whole time: rules are evaluated as often as targets are scraped.
    whole = f'scalar(max(count_over_time(up{{{_ENV}, job="prometheus"}}[$__range])))'
    panel = numbers_of(
        "Noisiest alerts",
        "For which part of the time range shown each alert fired. What fires for long and nobody acts on is noise: mend or delete it.",
        {"alertname": "Alert", "service": "Service", "severity": "Severity"},
        (Column("Time firing", "percentunit", f"{samples} / {whole}", 1),),
        sort="Time firing",
        empty="Nothing fired",
    )
    return linked(panel, "Alert", [rule_link()]).span(12).height(8)
