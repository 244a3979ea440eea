"""Reads traces from Jaeger's query API."""

from dataclasses import dataclass, field
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 5


class TraceStoreError(Exception):
    """Jaeger could not be asked. One sentence that says what to do."""


@dataclass(slots=True)
class TraceSpan:
    """One span; times in microseconds, `start` since the epoch."""

    span_id: str
    parent_id: str
    name: str
    service: str
    start: int
    duration: int
    failed: bool
    tags: dict[str, Any] = field(default_factory=dict)


def fetch_trace(url: str, trace_id: str) -> list[TraceSpan]:
    """The spans of a trace in the order of their starts; empty when Jaeger doesn't know it. Raises TraceStoreError."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/traces/{trace_id}", timeout=TIMEOUT_SECONDS)
        if answer.status_code in (400, 404):  # 400: an id that is no trace id
            return []
        answer.raise_for_status()
        traces = answer.json().get("data") or []
    except httpx.HTTPStatusError as error:
        raise TraceStoreError(f"Jaeger at {url} answered {error.response.status_code}; its log says why.") from None
    except (httpx.HTTPError, ValueError) as error:
        raise TraceStoreError(f"Jaeger at {url} is not reachable ({type(error).__name__}); `nobet status` says whether it runs.") from None
    spans = [_span(span, trace["processes"]) for trace in traces for span in trace["spans"]]
    return sorted(spans, key=lambda span: (span.start, -span.duration))


def _span(span: dict[str, Any], processes: dict[str, Any]) -> TraceSpan:
    tags = {tag["key"]: tag["value"] for tag in span.get("tags") or []}
    parents = [reference["spanID"] for reference in span.get("references") or [] if reference.get("refType") == "CHILD_OF"]
    return TraceSpan(
        span_id=span["spanID"],
        parent_id=parents[0] if parents else "",
        name=span["operationName"],
        service=processes.get(span["processID"], {}).get("serviceName", "?"),
        start=int(span["startTime"]),
        duration=int(span["duration"]),
        failed=tags.get("error") in (True, "true") or tags.get("otel.status_code") == "ERROR",
        tags=tags,
    )
