"""The on-call service: that it is there, that its messages arrive, that somebody answers. These go out by mail directly."""

from typing import Final

from prometheus.generator.model import SINCE_START, Alert, Group

_NOBODY_THERE: Final = 'absent(up{job="oncall"} == 1)'

ONCALL: Final = Group(
    "oncall",
    (
        Alert(
            "OncallDown",
            "critical",
            f"""
({_NOBODY_THERE} * on () group_left (env) group by (env) (up{{job="prometheus"}}) or on () {_NOBODY_THERE})
{SINCE_START.format("5m")}
""",
            hold="2m",
            summary="The on-call service is down.",
            description="No replica of the on-call service answers: pages are not sent and not escalated until it is back.",
            means="Alertmanager keeps what it could not hand over and tries again. Until then pages of critical alerts come as plain mails "
            "(PageWithoutOncall), without escalation.",
            steps=(
                "`make status`, then the log: `.stack/log/oncall.log`, or `docker compose logs oncall`.",
                "It needs its database: `PostgresDown` beside it is the cause.",
                "`make up` starts it; nothing that Alertmanager holds is lost.",
            ),
            service="oncall",
            look='up{job="oncall"}',
        ),
        Alert(
            "PageWithoutOncall",
            "critical",
            """
group by (page, service, env) (label_replace(
  ALERTS{alertstate="firing", severity="critical", alertname!~"OncallDown|PageWithoutOncall"}, "page", "$1", "alertname", "(.+)"
))
unless on () (max(up{job="oncall"}) == 1)
""",
            hold="1m",
            summary="A critical alert fires while the on-call service is down.",
            description="{{ $labels.page }} fires on {{ $labels.service }}. Nobody escalates this mail: whoever reads it, acts.",
            means="This mail takes the place of a page.",
            steps=(
                "Go to the heading of the alert that is named in it.",
                "Tell the others that you have it: there is nothing to acknowledge while the on-call service is down.",
            ),
            look='ALERTS{alertstate="firing", severity="critical"}',
        ),
        Alert(
            "OncallUnacknowledged",
            "critical",
            "max by (service, env) (oncall_oldest_unacknowledged_seconds) > <seconds ALERT_UNACKNOWLEDGED_MINUTES>",
            hold="0s",
            summary="Nobody answers a page.",
            description="A critical incident has been open for {{ $value | humanizeDuration }} and nobody has acknowledged it.",
            means="Every level of the escalation was called, or no message reached anybody.",
            steps=(
                "Open the on-call page (port 8030) and acknowledge, or hand over to somebody who can.",
                "Its messages say who was told by which way, and what was not delivered.",
                "Telephone.",
            ),
            look="oncall_oldest_unacknowledged_seconds",
        ),
        Alert(
            "OncallDeliveryFailing",
            "critical",
            """
sum by (service, env, channel) (increase(oncall_notifications_total{outcome="failed"}[<5m>]))
/ sum by (service, env, channel) (increase(oncall_notifications_total[<5m>]) > 0)
> <ALERT_DELIVERY_FAILURE_RATIO>
""",
            hold="1m",
            summary="A channel does not take pages.",
            description="{{ $value | humanizePercentage }} of the messages by {{ $labels.channel }} fail.",
            means="People who rely on this channel are not told; their other contacts and the next level are.",
            steps=(
                "The incident's messages on the on-call page have the channel's own answer.",
                "Refused: token, webhook or address in `.env` or in the policy; `nobet oncall check` tells which setting is missing.",
                "Rate limits pass by themselves; the service waits as long as it is asked to.",
            ),
            look='increase(oncall_notifications_total{outcome="failed"}[<5m>])',
        ),
    ),
    board="nobet-oncall",
)
