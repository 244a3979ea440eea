"""Performance transactions and profiles for the error tracker, for those who want them there: off by default.

Traces go to Jaeger. With SENTRY_TRACES_SAMPLE_RATE above 0 sampled requests become transactions as well, under
the same trace id, with a span for each of ours (queries, calls to other services), and with a profile where
SENTRY_PROFILES_SAMPLE_RATE says so. At 0 a request pays one comparison.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from app.core import context, error_event, tracing
from app.core.sampling import share_of
from app.core.telemetry.spans import SPANS

if TYPE_CHECKING:
    from sentry_sdk import tracing as tracing_of_sdk
    from sentry_sdk.types import Event, Hint

# The SDK is imported where it is used: a service without error tracking doesn't carry it.


class _Rate:
    share = 0.0


def setup(share: float) -> None:
    """Make transactions of this share of the requests."""
    _Rate.share = share
    tracing.mirror(_mirrored if share else None)


class Transaction:
    """One request's transaction, from its beginning to its end."""

    __slots__ = ("_open", "_span")

    def __init__(self, method: str, path: str) -> None:
        import sentry_sdk

        ident, trace_id = context.request_id() or "", str(context.current().get("trace_id", ""))
        self._open: Final = ExitStack()
        self._open.enter_context(sentry_sdk.isolation_scope())
        made = sentry_sdk.start_transaction(op="http.server", name=f"{method} {path}", source="url", sampled=True, trace_id=trace_id)
        self._span: Final = cast("tracing_of_sdk.Transaction", self._open.enter_context(made))
        self._span.set_tag("event_id", ident)

    def end(self, endpoint: str, method: str, status: int) -> None:
        """Close it under the name of its route, and hand it to the sender."""
        from sentry_sdk import tracing as tracing_of_sdk

        self._span.name, self._span.source = f"{method} {endpoint}", tracing_of_sdk.TransactionSource.ROUTE
        self._span.set_http_status(status)
        self._open.close()


def begin(method: str, path: str) -> Transaction | None:
    """Start the transaction of the present request, when it is in the sample."""
    if not _Rate.share:
        return None
    ident = context.request_id()
    chance = share_of(ident) if ident else random.random()  # noqa: S311 (a sample)
    return Transaction(method, path) if chance < _Rate.share else None


def before_send(event: "Event", _hint: "Hint") -> "Event":
    """Mask a transaction as error events are masked."""
    return error_event.masked(event, with_person=False)


@contextmanager
def _mirrored(name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    """A span of ours as a span of the transaction that is under way, if one is."""
    import sentry_sdk

    if sentry_sdk.get_current_span() is None:
        yield
        return
    text = attributes.get("db.query.text")
    with sentry_sdk.start_span(op="db" if text else SPANS[name].name, name=str(text or SPANS[name].name)) as span:
        for key, value in attributes.items():
            span.set_data(key, value)
        yield
