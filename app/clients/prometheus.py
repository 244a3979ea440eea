"""Asks Prometheus which alerts fired in a span of time."""

from collections.abc import Iterator
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
    alerts = {(alert.name, alert.service, alert.since): alert for series in found for alert in _episodes(series, end, step)}
    return sorted(alerts.values(), key=lambda alert: alert.since)


def _episodes(series: dict[str, Any], end: float, step: float) -> Iterator[FiredAlert]:
    """Each time that the alert fired: points further apart than the query's step are two times."""
    labels, points = series["metric"], [float(at) for at, _ in series["values"]]
    begin = points[0]
    for place, at in enumerate(points):
        following = points[place + 1] if place + 1 < len(points) else None
        if following is None or following - at > 1.5 * step:
            yield FiredAlert(
                name=str(labels.get("alertname", "?")),
                severity=str(labels.get("severity", "")),
                service=str(labels.get("service", "")),
                since=begin,
                until=at,
                ongoing=at >= end - 2 * step,
            )
            begin = following or at
