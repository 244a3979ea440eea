"""PromQL that several panels of the API dashboard share. All of it is filtered by the dashboard's variables."""

from typing import Final

from app.core.telemetry.metrics import HTTP_BUCKETS
from grafana.generator.links import limit
from grafana.generator.shared import SELECT

RANGE: Final = "[$__rate_interval]"

REQUESTS: Final = f"rate(http_requests_total{{{SELECT}}}{RANGE})"
ERRORS: Final = f"rate(http_requests_errors_total{{{SELECT}}}{RANGE})"
ERROR_RATIO: Final = f"(sum({ERRORS}) or 0 * sum({REQUESTS})) / (sum({REQUESTS}) > 0)"

_BUCKETS: Final = f"rate(http_request_duration_seconds_bucket{{{SELECT}}}{RANGE})"

OPERATING_LIMIT: Final = limit("ALERT_ERROR_RATE_WARNING")
"""Share of failed requests at which there is a ticket."""

PAGE: Final = limit("ALERT_ERROR_RATE")
"""The same; a page."""

ERROR_LIMITS: Final = f"operating limit {OPERATING_LIMIT * 100:g} %, a page at {PAGE * 100:g} %"
"""Both in words, for descriptions."""


def share_under(seconds: float) -> str:
    """Share of the requests that took less. Raises ValueError when no bucket ends there: the share would be a guess."""
    if seconds not in HTTP_BUCKETS:
        raise ValueError(f"{seconds} is no edge of HTTP_BUCKETS")
    fast = f'sum(rate(http_request_duration_seconds_bucket{{{SELECT}, le="{seconds}"}}{RANGE}))'
    return f"{fast} / (sum(rate(http_request_duration_seconds_count{{{SELECT}}}{RANGE})) > 0)"


def quantile(share: float, by: str = "le") -> str:
    """The time in which this share of the requests is answered. Nothing, rather than NaN, without traffic."""
    return f"histogram_quantile({share}, sum by ({by}) ({_BUCKETS})) >= 0"
