"""Aggregates that alerts and dashboards share. Numerator and denominator apart, divided last."""

from typing import Final

from prometheus.generator.model import Group, Record

RECORDING: Final = Group(
    "recording",
    (
        Record("service:http_requests:rate5m", "sum by (service, env) (rate(http_requests_total[<5m>]))"),
        Record("service:http_requests_errors:rate5m", "sum by (service, env) (rate(http_requests_errors_total[<5m>]))"),
        Record("service:http_requests_errors:ratio_rate5m", "service:http_requests_errors:rate5m / (service:http_requests:rate5m > 0)"),
        Record(
            "service_endpoint:http_request_duration_seconds_count:rate5m",
            "sum by (service, env, endpoint) (rate(http_request_duration_seconds_count[<5m>]))",
        ),
        Record(
            "service_endpoint:http_request_duration_seconds:p95_rate5m",
            "histogram_quantile(0.95, sum by (service, env, endpoint, le) (rate(http_request_duration_seconds_bucket[<5m>])))",
        ),
        # Nothing lost, nothing doubled: 0 at any time. The shipper takes all parts of the sum from one look, so scrapes can't skew it.
        Record("service:log_records:residual", "sum by (service, env) (shipper_residual_records)"),
        # Availability is uptime by total time (UPT-03): average it over any window up to the retention.
        Record("service:probe_success:max", 'max by (service, env) (probe_success{job="blackbox-http", probe="live"})'),
    ),
)
