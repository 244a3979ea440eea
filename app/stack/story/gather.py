"""Gathers a story from the stores.

Finds every record that carries the id as request id, client's request id, call or trace, in all services; what was
refused on its way into the store; the traces, error events, tracked events and alerts. Records take a moment to
arrive, so an empty or still growing answer is asked for again for a few seconds.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from app.clients.error_tracker import ErrorTrackerError, error_events
from app.clients.jaeger import TraceSpan, TraceStoreError, fetch_trace
from app.clients.log_search import MOST_RECORDS, Found, LogSearch
from app.clients.prometheus import FiredAlert, MetricsStoreError, fired_alerts
from app.core.config import Settings
from app.stack.story.model import MOST_TRACES, Story, Trace
from app.stack.story.text import moment
from app.stack.story.units import ENDS
from app.stack.story.verdict import Verdict, judge

PATIENCE_SECONDS: Final = 8.0
"""Spool to Elasticsearch takes about two seconds, a trace to Jaeger about four."""

SETTLED_SECONDS: Final = 10.0
"""A story whose last record is older than this is complete."""

SPANS_SECONDS: Final = 5.0
"""A parent that is missing for longer after the last record is not on its way: it is the caller's own, who keeps it elsewhere."""

NO_SPANS: Final = "Jaeger has no spans of it: the request was not sampled, or its spans are still on their way."

EARLIER_SECONDS: Final = 3600
"""How far back the same failure is looked for."""

ALERTS_AFTER_SECONDS: Final = 1800
"""A rule needs minutes to fire; what fires later has other causes."""

CLOCK_SECONDS: Final = 60.0
"""Error events are looked for around the request; clients' clocks go wrong by more, their events have pages of their own."""

_SAME: Final = ("outcome", "status_code", "close_code", "error_type")
"""Fields of the terminal record that make two failures the same."""

_PAUSE_SECONDS: Final = 0.5
_MOST_IDS: Final = 10
_Answer = TypeVar("_Answer")


class UnclearIdError(Exception):
    """The text is the beginning of several ids."""

    def __init__(self, idents: list[str]) -> None:
        super().__init__(", ".join(idents))
        self.idents = idents


def tell(ident: str, settings: Settings, search: LogSearch, limit: int = MOST_RECORDS) -> Story:
    """Gather the story. Raises SearchError or UnclearIdError; any other store's absence is told in the story itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    ident = _whole_id(ident, search, deadline)
    found = _settled(search, ident, deadline, limit)
    story = Story(ident, found)
    _add_traces(story, settings.jaeger_url, deadline)
    if found.records:
        story.tracked = search.tracked(_idents(story))
        story.verdict = judge(ident, found.records, [span for trace in story.traces for span in trace.spans])
        if story.verdict:
            _add_error_events(story, story.verdict, settings)
        if story.verdict:
            _add_history(story, story.verdict, settings, search)
    return story


def _whole_id(ident: str, search: LogSearch, deadline: float) -> str:
    """The id that is meant: itself, or the only one that begins so."""

    def look() -> list[str]:
        found = search.by_ids([ident], 1)
        return [ident] if found.records or found.dead_letters else search.ids_beginning(ident)

    whole = _again_until(deadline, look, bool)
    if len(whole) > 1:
        raise UnclearIdError(whole)
    return whole[0] if whole else ident


def _settled(search: LogSearch, ident: str, deadline: float, limit: int) -> Found:
    """The records, asked for until no more arrive."""
    count = -1
    while True:
        found = _with_traces(search, ident, limit)
        total = len(found.records) + found.more
        if total == count or not _is_fresh(found) or time.monotonic() > deadline:
            return found
        count = total
        time.sleep(_PAUSE_SECONDS)


def _with_traces(search: LogSearch, ident: str, limit: int) -> Found:
    """The records of the id, and those of other requests in the same traces."""
    found = search.by_ids([ident], limit)
    return search.by_ids([ident, *_trace_ids(found)[:MOST_TRACES]], limit) if found.records else found


def _trace_ids(found: Found) -> list[str]:
    """Those of failed requests first, since they are wanted most; else in the order of time."""
    ids = dict.fromkeys(str(record["trace_id"]) for record in found.records if record.get("trace_id"))
    failed = {str(record.get("trace_id")) for record in found.records if record.get("level") in ("ERROR", "CRITICAL")}
    return sorted(ids, key=lambda trace_id: trace_id not in failed)


def _add_traces(story: Story, url: str, deadline: float) -> None:
    idents = _trace_ids(story.found)
    story.more_traces = max(0, len(idents) - MOST_TRACES)
    for trace_id in idents[:MOST_TRACES]:
        story.traces.append(_trace(url, trace_id, story.found, deadline))
        if story.traces[-1].problem not in ("", NO_SPANS):
            break  # a store that does not answer once need not be waited for again
    story.traces.sort(key=lambda trace: trace.spans[0].start if trace.spans else 0)


def _trace(url: str, trace_id: str, found: Found, deadline: float) -> Trace:
    try:
        limit = deadline if _is_fresh(found) else 0.0
        late = moment(found.records[-1]) + SPANS_SECONDS if found.records else 0.0
        spans = _again_until(
            limit, lambda: fetch_trace(url, trace_id), lambda spans: bool(spans) and (_is_whole(spans) or time.time() > late)
        )
    except TraceStoreError as error:
        return Trace(trace_id, problem=str(error))
    return Trace(trace_id, spans, "" if spans else NO_SPANS)


def _is_whole(spans: Sequence[TraceSpan]) -> bool:
    """Whether no span lacks its parent: a parent ends, and is sent, after its children."""
    known = {span.span_id for span in spans}
    return all(not span.parent_id or span.parent_id in known for span in spans)


def _idents(story: Story) -> list[str]:
    """The id, and the request ids that it led to."""
    asked = [str(record["request_id"]) for record in story.found.records if record.get("request_id")]
    return list(dict.fromkeys([story.ident, *asked]))[:_MOST_IDS]


def _add_error_events(story: Story, verdict: Verdict, settings: Settings) -> None:
    token = settings.error_tracker_token.get_secret_value()
    if not token or not any(record.get("level") in ("ERROR", "CRITICAL", "WARNING") for record in story.found.records):
        return
    try:
        start, end = verdict.started - CLOCK_SECONDS, verdict.started + verdict.seconds + CLOCK_SECONDS
        story.error_events = error_events(settings.error_tracker_url, token, _idents(story), start, end)
    except ErrorTrackerError as error:
        story.problems.append(str(error))


def _add_history(story: Story, verdict: Verdict, settings: Settings, search: LogSearch) -> None:
    """How the same failure fared before, and what the alerts made of it."""
    worst = verdict.worst
    if worst is not None and worst.badness and worst.record is not None:
        among = {"service_name": worst.service, "endpoint": worst.endpoint, "method": worst.method}
        same = {name: worst.record[name] for name in _SAME if worst.record.get(name) is not None}
        verdict.earlier = search.earlier(among, same, sorted(ENDS), verdict.started - EARLIER_SECONDS, worst.end)
    ended = verdict.started + verdict.seconds
    try:
        alerts = fired_alerts(settings.prometheus_url, verdict.started - EARLIER_SECONDS, min(time.time(), ended + ALERTS_AFTER_SECONDS))
    except MetricsStoreError as error:
        story.problems.append(str(error))
        return
    services = {str(record.get("service_name")) for record in story.found.records}
    latest = float("inf") if verdict.is_failure else ended
    story.alerts = [alert for alert in alerts if _concerns(alert, verdict.started, latest, services)]


def _concerns(alert: FiredAlert, started: float, latest: float, services: set[str]) -> bool:
    """Whether an alert fired then, for one of these services or for the whole. Of a failure also those that it may have caused."""
    for_us = not alert.service or alert.service in services
    return for_us and alert.severity != "none" and alert.until >= started and alert.since <= latest


def _again_until(deadline: float, ask: Callable[[], _Answer], enough: Callable[[_Answer], bool]) -> _Answer:
    """Ask until the answer is enough or the time is up; the last answer either way."""
    while not enough(answer := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return answer


def _is_fresh(found: Found) -> bool:
    """Whether more may still be on its way."""
    return bool(found.records) and time.time() - moment(found.records[-1]) < SETTLED_SECONDS
