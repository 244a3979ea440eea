"""Asks Prometheus which alerts fired in a span of time."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 5
MOST_POINTS: Final = 600
"""Steps of the range query; Prometheus refuses more than 11,000."""

SMALLEST_STEP_SECONDS: Final = 5.0


class MetricsStoreError(Exception):
    """Prometheus could not be asked. One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """An alert that fired: its name and labels, and when, in seconds since the epoch (to the step of the query)."""

    name: str
    severity: str
    service: str
    since: float
    until: float
    ongoing: bool
    """Whether it still fired at the end of the span."""


def fired_alerts(url: str, start: float, end: float) -> list[FiredAlert]:
    """The alerts that fired between two moments, in the order of their beginnings. Raises MetricsStoreError."""
    step = max(SMALLEST_STEP_SECONDS, (end - start) / MOST_POINTS)
    params: dict[str, str | float] = {"query": 'ALERTS{alertstate="firing"}', "start": start, "end": end, "step": step}
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/v1/query_range", params=params, timeout=TIMEOUT_SECONDS)
        found = answer.raise_for_status().json()["data"]["result"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise MetricsStoreError(
            f"Prometheus at {url} is not reachable ({type(error).__name__}); `nobet status` says whether it runs."
        ) from None
    alerts = {(alert.name, alert.service): alert for series in found for alert in [_alert(series, end, step)]}
    return sorted(alerts.values(), key=lambda alert: alert.since)


def _alert(series: dict[str, Any], end: float, step: float) -> FiredAlert:
    labels, points = series["metric"], [float(at) for at, _ in series["values"]]
    return FiredAlert(
        name=str(labels.get("alertname", "?")),
        severity=str(labels.get("severity", "")),
        service=str(labels.get("service", "")),
        since=points[0],
        until=points[-1],
        ongoing=points[-1] >= end - 2 * step,
    )
