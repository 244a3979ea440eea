"""Error events for a Sentry-compatible server: captured where errors happen, masked, one per error.

The SDK's web integration would wrap every request; here the middleware and the
ERROR records hand errors over instead, so that a request without an error costs
nothing. Without a DSN nothing is started and no connection made.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from app.core import context, error_event, error_transactions, metrics
from app.core.config import Settings, parse_status_ranges
from app.core.error_event import add_breadcrumb, set_person, set_tag
from app.core.error_limits import Gate
from app.core.error_quota import MonthlyQuota
from app.core.logger import get_logger
from app.core.pipeline import observe
from app.core.record_errors import error_location

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

SHUTDOWN_SECONDS: Final = 2
"""Time that a stopping process gives pending events."""

QUOTA_SECONDS: Final = 30.0
"""How often a process looks at what the others counted; a new month shows as soon as that."""

_REPORTED: Final = "__nobet_reported__"
_ERROR: Final = 40
_CRITICAL: Final = 50

__all__ = [
    "add_breadcrumb",
    "begin_request",
    "capture_exception",
    "capture_message",
    "is_reported_status",
    "is_timeout",
    "keep_quota_current",
    "set_person",
    "set_tag",
    "setup",
    "shutdown",
]

SentryLevel = Literal["fatal", "critical", "error", "warning", "info", "debug"]

log = get_logger(__name__)


class _State:
    enabled = False
    with_person = False
    failed_codes: frozenset[int] = frozenset()
    gate: Gate | None = None
    quota: MonthlyQuota | None = None


def setup(settings: Settings, service: str) -> None:
    """Start error tracking when a DSN is set."""
    dsn = settings.sentry_dsn.get_secret_value()
    _State.failed_codes = parse_status_ranges(settings.sentry_failed_status_codes)
    _State.enabled = bool(dsn) and (settings.sentry_in_development or settings.environment != "development")
    error_transactions.setup(settings.sentry_traces_sample_rate if _State.enabled else 0.0)
    if not _State.enabled:
        observe(None)
        return
    _State.with_person = settings.sentry_send_default_pii
    _State.quota = MonthlyQuota(settings.sentry_monthly_quota, settings.spool_dir)
    _State.gate = Gate(settings, _State.quota)
    _show_quota()
    from app.core.error_sdk import start  # only here: a service without error tracking doesn't carry the SDK

    start(settings, service, _before_send, SHUTDOWN_SECONDS)
    log.info(
        "Error events are sent",
        event="error_tracking.started",
        sample_rate=settings.sentry_sample_rate,
        traces_sample_rate=settings.sentry_traces_sample_rate,
        profiles_sample_rate=settings.sentry_profiles_sample_rate,
        monthly_quota=settings.sentry_monthly_quota,
    )
    observe(_on_record)


async def keep_quota_current() -> None:
    """Look at the shared count in an interval, for ever."""
    while _State.quota is not None:
        _State.quota.refresh()
        _show_quota()
        await asyncio.sleep(QUOTA_SECONDS)


def begin_request(user_agent: bytes | None) -> None:
    """Forget the records of whatever ran before in this context, and note what the client calls itself."""
    if _State.enabled:
        error_event.begin(user_agent)


def is_reported_status(status: int) -> bool:
    """Whether an answer with this status is an error event by the settings."""
    return _State.enabled and status in _State.failed_codes


def capture_exception(error: BaseException, *, fingerprint: Sequence[str] = (), **tags: str) -> None:
    """Report an exception; a second report of it, or of one that it caused, is left out.

    `fingerprint` names the issue that it belongs to. Time-outs have one by kind and place, so that their texts don't matter.
    """
    if not _State.enabled or _was_reported(error):
        return
    _mark(error)
    place = error_location(error)
    issue = tuple(fingerprint) or (("timeout", type(error).__name__, place) if is_timeout(error) else ())
    left_out = _admit("|".join(issue) or f"{type(error).__name__}|{place}", "error", type(error).__name__, tags)
    if left_out is not None:
        import sentry_sdk

        with _scope(tags, issue, left_out):
            sentry_sdk.capture_exception(error)


def capture_message(text: str, level: SentryLevel = "error", *, fingerprint: Sequence[str] = (), **tags: str) -> None:
    """Report something that is no exception. Tag `category` (payment …) can make it one that is always sent."""
    if not _State.enabled:
        return
    left_out = _admit("|".join(fingerprint) or text, level, None, tags)
    if left_out is not None:
        import sentry_sdk

        with _scope(tags, fingerprint, left_out):
            sentry_sdk.capture_message(text, level="fatal" if level == "critical" else level)


def is_timeout(error: BaseException) -> bool:
    """Whether an exception says that something took too long, by its own class or that of a base."""
    return isinstance(error, TimeoutError) or any("Timeout" in base.__name__ for base in type(error).__mro__)


def shutdown() -> None:
    """Send what is pending, for a bounded time, and stop."""
    if _State.enabled:
        _State.enabled = False
        _State.quota = None
        error_transactions.setup(0.0)
        observe(None)
        import sentry_sdk

        sentry_sdk.get_client().close(timeout=SHUTDOWN_SECONDS)


def _on_record(level: int, record: dict[str, Any], error: BaseException | None) -> None:
    """Records from INFO up become breadcrumbs, from ERROR up events. Request records are the middleware's."""
    if level >= _ERROR:
        grave: SentryLevel = "fatal" if level >= _CRITICAL else "error"
        if error is not None:
            capture_exception(error, logger=record["logger"])
        elif not str(record.get("event", "")).startswith("http.request."):
            capture_message(record["message"], level=grave, logger=record["logger"], event=str(record.get("event", "")))
    else:
        add_breadcrumb(record["logger"], record["message"], record["log_level"])


def _admit(fingerprint: str, level: str, name: str | None, tags: dict[str, str]) -> int | None:
    assert _State.gate is not None  # noqa: S101 (made together with `enabled`)
    categories = (tags.get(key) or error_event.tag(key) for key in ("category", "transaction_type"))
    critical = _State.gate.is_critical(level, name, *categories)
    return _State.gate.admit(fingerprint, context.request_id(), critical=critical)


@contextmanager
def _scope(tags: dict[str, str], fingerprint: Sequence[str], left_out: int) -> Iterator[None]:
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        error_event.fill(scope, tags, with_person=_State.with_person)
        if left_out:
            scope.set_tag("suppressed", str(left_out))
        if fingerprint:
            scope.fingerprint = list(fingerprint)
        yield


def _before_send(event: "Event", _hint: "Hint") -> "Event | None":
    metrics.counter("telemetry_sent_total").labels(signal="error_event").inc()
    if _State.quota is not None:
        used = _State.quota.count()
        _show_quota()
        if _State.quota.is_warning(used):
            log.warning("Most of this month's error events are used", event="error_tracking.quota_low", count=used)
    return error_event.masked(event, with_person=_State.with_person)


def _show_quota() -> None:
    if _State.quota is not None:
        metrics.gauge("error_events_month").set(_State.quota.used)
        metrics.gauge("error_events_quota_ratio").set(_State.quota.share)


def _was_reported(error: BaseException) -> bool:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if getattr(current, _REPORTED, False):
            return True
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return False


def _mark(error: BaseException) -> None:
    try:
        setattr(error, _REPORTED, True)
    except AttributeError:  # an exception class with __slots__ and no __dict__: reported twice at worst
        return
