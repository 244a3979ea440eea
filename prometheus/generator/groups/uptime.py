"""Availability as monitors outside see it, and the certificates of what is probed over https.

Availability is uptime by total time (UPT-03). The long windows average a
five-minute average, because 30 days of raw samples in every evaluation would
cost more than they say. Time in which Prometheus itself was off counts as
neither up nor down.
"""

from typing import Final

from prometheus.generator.model import Alert, Group, Record

_RAW: Final = 'probe_success{job="blackbox-http"}'

UPTIME: Final = Group(
    "uptime",
    (
        Record("endpoint:probe_success:avg5m", f"avg_over_time({_RAW}[<5m>])"),
        Record("endpoint:probe_success:avg1d", "avg_over_time(endpoint:probe_success:avg5m[<1d>])"),
        Record("endpoint:probe_success:avg30d", "avg_over_time(endpoint:probe_success:avg5m[<30d>])"),
        Alert(
            "CertificateExpiring",
            "warning",
            """
min by (service, env, instance) (probe_ssl_earliest_cert_expiry{job="blackbox-http"}) - time()
< <ALERT_CERTIFICATE_DAYS> * 86400
""",
            hold="1h",
            summary="A certificate expires soon.",
            description="The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}.",
            means="When it has expired, browsers and apps refuse the address. Automatic renewal should have taken place by now.",
            steps=(
                "`echo | openssl s_client -connect HOST:443 2>/dev/null | openssl x509 -noout -dates -issuer` shows what is served.",
                "Renewed on disk and not served: reload the gateway.",
                "Not renewed: the log of the ACME client; most often port 80 or the DNS record changed.",
            ),
            look="(probe_ssl_earliest_cert_expiry - time()) / 86400",
        ),
    ),
    interval="5m",
)
