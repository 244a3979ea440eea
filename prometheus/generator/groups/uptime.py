"""Availability as monitors outside see it, and the certificates of what is probed over https.

Availability is uptime by total time (UPT-03). The long windows average a
five-minute average, because 30 days of raw samples in every evaluation would
cost more than they say. Time in which Prometheus itself was off counts as
neither up nor down.
"""

from typing import Final

from prometheus.generator.model import Alert, Group, Record, Severity

_RAW: Final = 'probe_success{job="blackbox-http"}'


def _expiring(severity: Severity, limit: str, summary: str) -> Alert:
    return Alert(
        "CertificateExpiring",
        severity,
        f"""
min by (service, env, instance) (probe_ssl_earliest_cert_expiry{{job="blackbox-http"}}) - time()
< <{limit}> * 86400
""",
        hold="1h",
        summary=summary,
        description="The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}.",
        means="When it has expired, browsers and apps refuse the address. Automatic renewal should have taken place by now.",
        steps=(
            "`echo | openssl s_client -connect HOST:443 2>/dev/null | openssl x509 -noout -dates -issuer` shows what is served.",
            "Renewed on disk and not served: reload the gateway.",
            "Not renewed: the log of the ACME client; most often port 80 or the DNS record changed.",
        ),
        look="(probe_ssl_earliest_cert_expiry - time()) / 86400",
    )


UPTIME: Final = Group(
    "uptime",
    (
        Record("endpoint:probe_success:avg5m", f"avg_over_time({_RAW}[<5m>])"),
        Record("endpoint:probe_success:avg1d", "avg_over_time(endpoint:probe_success:avg5m[<1d>])"),
        Record("endpoint:probe_success:avg30d", "avg_over_time(endpoint:probe_success:avg5m[<30d>])"),
        _expiring("warning", "ALERT_CERTIFICATE_DAYS", "A certificate expires soon."),
        _expiring("critical", "ALERT_CERTIFICATE_CRITICAL_DAYS", "A certificate expires in days."),
    ),
    interval="5m",
    board="nobet-general-system-health",
)
