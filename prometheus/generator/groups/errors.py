"""The error tracker's plan: warned about before it is used up."""

from typing import Final

from prometheus.generator.model import Alert, Group

ERRORS: Final = Group(
    "errors",
    (
        Alert(
            "ErrorQuotaLow",
            "warning",
            "max by (service, env) (error_events_quota_ratio) > <ALERT_ERROR_QUOTA>",
            hold="5m",
            summary="Most of this month's error events are used.",
            description="{{ $value | humanizePercentage }} of SENTRY_MONTHLY_QUOTA are used.",
            means="When the quota is used up, only critical error events are sent until the month ends; logs and metrics go on as before.",
            steps=(
                "Which error is it? The tracker's issues, sorted by events; `sum by (reason) (rate(error_events_suppressed_total[1h]))`.",
                "Repair it, or lower `SENTRY_SAMPLE_RATE` to 0.5: half of the events, decided by request id; critical ones stay complete.",
                "What is critical is the setting `SENTRY_ALWAYS_SEND`. A larger plan is `SENTRY_MONTHLY_QUOTA`.",
            ),
            look="error_events_quota_ratio",
        ),
    ),
)
