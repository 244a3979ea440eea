"""The log pipeline: held, stalled, filling up, dropping, refusing, losing."""

import datetime as dt
import json
from typing import Any, Final

from app.core.spool import SpoolWriter
from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected
from app.stack.drill.traffic import Visitor
from app.stack.errors import StackError

_EVENTS: Final = {"events": [{"event_type": "message_sent", "properties": {"chat_id": "7", "message_length": 42}}] * 100}
_EXPIRED: Final = "2020.01.01"


def _read_much(visitor: Visitor) -> None:
    visitor.get("/feed")


def _report_much(visitor: Visitor) -> None:
    visitor.events(_EVENTS)


def _block(arena: Arena) -> None:
    pattern = f"{arena.stack.settings.log_index_prefix}-*"
    path = f"{pattern}/_settings?allow_no_indices=true"
    arena.hands.elasticsearch("PUT", path, _blocked(on=True), undo=("PUT", path, _blocked(on=False)))


def _blocked(*, on: bool) -> dict[str, Any]:
    return {"index.blocks.write": on}


def _wrong_password(arena: Arena) -> None:
    arena.hands.reconfigure("shipper", ELASTICSEARCH_SHIPPER_PASSWORD="not-the-right-one")  # noqa: S106 (wrong on purpose)


def _unreachable(arena: Arena) -> None:
    arena.hands.reconfigure("shipper", ELASTICSEARCH_URL=f"http://{arena.nobody}")


def _blind(arena: Arena) -> None:
    arena.hands.reconfigure("cleanup", ELASTICSEARCH_URL=f"http://{arena.nobody}")


def _filling(arena: Arena) -> None:
    arena.hands.reconfigure("shipper", SPOOL_MAX_BYTES="600000")
    _block(arena)
    arena.visit(_read_much, 40, 4)


def _dropping(arena: Arena) -> None:
    arena.hands.stop("shipper")
    arena.hands.reconfigure("app", SPOOL_MAX_BYTES="100000", SPOOL_SEGMENT_BYTES="20000")
    arena.visit(_read_much, 40, 4)
    arena.visit(_report_much, 0.8)


def _unreadable(arena: Arena) -> None:
    writer = SpoolWriter(arena.stack.paths.spool, "drill", segment_bytes=1 << 20, max_bytes=1 << 31)
    arena.hold().callback(writer.close)

    def write() -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        known = {"timestamp": now, "level": "INFO", "service_name": "drill", "message": "Refused on purpose", "request_id": "drill"}
        record = {**known, "duration_ms": "no number"}
        writer.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")  # without spaces, as records are
        writer.append(b"neither JSON nor anything else\n")

    arena.repeat(write, 1)


def _lost(arena: Arena) -> None:
    """A segment with records that nobody has delivered is taken out of the spool."""
    arena.hands.stop("shipper")
    arena.visit(_read_much, 20, 2)
    before = {path.name for path in arena.stack.paths.spool.glob("*cleanup*")}
    arena.wait("records of the cleanup in the spool", lambda: any(path.stat().st_size > 500 for path in _cleanup_segments(arena)))
    arena.hands.kill("cleanup")
    arena.wait("a new segment of the cleanup", lambda: {path.name for path in _cleanup_segments(arena)} - before)
    oldest = min(_cleanup_segments(arena), key=lambda path: path.stat().st_mtime)
    if oldest.name not in before:
        raise StackError("There was no segment to take away.")
    arena.hands.move(oldest, arena.stack.paths.run / oldest.name)
    arena.hands.start("shipper")


def _cleanup_segments(arena: Arena) -> list[Any]:
    return [path for path in arena.stack.paths.spool.glob("*cleanup*") if path.is_file()]


def _failing_cleanup(arena: Arena) -> None:
    index = f"{arena.stack.settings.log_index_prefix}-{_EXPIRED}"
    arena.hands.elasticsearch(
        "PUT", f"{index}/_doc/1", {"timestamp": "2020-01-01T12:00:00.000000Z", "message": "old"}, undo=("DELETE", index, None)
    )
    arena.hands.clean_up_after_undo()
    arena.hands.own("cleanup", ["run"], LOG_ARCHIVE_DIR="/dev/null/archive")


def _nothing(_arena: Arena) -> None:
    """Time alone does it."""


def _clean_up(arena: Arena) -> None:
    arena.hands.own("cleanup", ["run"])


def _no_trace_store(arena: Arena) -> None:
    arena.hands.reconfigure("voice", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{arena.nobody}")
    arena.visit(Visitor.suggest, 10, 2)


def _quota(arena: Arena) -> None:
    arena.visit(lambda visitor: visitor.get("/crash"), 4)
    arena.hands.reconfigure("app", SENTRY_MONTHLY_QUOTA="20")


LOGS: Final = (
    Drill(
        "held", "the shipper is started with a wrong password", _wrong_password, (Expected("ShipperHeld", "critical"),), together="restarts"
    ),
    Drill(
        "blocked",
        "the log indices are closed for writing",
        _block,
        (
            Expected("ElasticsearchReadOnly", "critical"),
            Expected("LogShippingStalled", "critical", "held"),
            Expected("LogShippingDelayed", "warning", "held"),
            Expected("LogCanaryMissing", "critical", "held"),
        ),
        together="more restarts",
    ),
    Drill(
        "unreachable",
        "the shipper is sent to an address at which nobody listens",
        _unreachable,
        (
            Expected("LogShippingStalled", "critical"),
            Expected("LogShippingDelayed", "warning"),
            Expected("LogCanaryMissing", "critical", "held"),
        ),
        together="few errors",
    ),
    Drill(
        "blind",
        "the canary is looked for at an address at which nobody listens",
        _blind,
        (Expected("LogCanaryMissing", "critical"),),
        together="errors",
    ),
    Drill(
        "freshness-burn",
        "the canary is looked for at an address at which nobody listens",
        _blind,
        (Expected("LogFreshnessBurnTicket", "warning"),),
        scale=0.2,
        together="burns",
    ),
    Drill(
        "filling",
        "the log indices are closed for writing, and the spool is small",
        _filling,
        (Expected("LogSpoolFillingUp", "warning"),),
        together="slow",
    ),
    Drill(
        "dropping",
        "the shipper is stopped, and the app's spool is smaller than what comes",
        _dropping,
        (
            Expected("ShipperDown", "critical"),
            Expected("LogRecordsDropped", "critical", labels={"service": "app"}),
            Expected("TrackedEventsDropped", "warning", labels={"service": "app"}),
        ),
    ),
    Drill(
        "unreadable",
        "records that Elasticsearch refuses, and lines that are no records",
        _unreadable,
        (Expected("LogDlqGrowing", "warning"), Expected("LogSpoolCorrupt", "warning")),
        together="calm",
    ),
    Drill("lost", "a segment of undelivered records is taken out of the spool", _lost, (Expected("LogConservationBroken", "critical"),)),
    Drill("cleanup-fails", "the archives have no place", _failing_cleanup, (Expected("LogCleanupFailed", "warning"),)),
    Drill(
        "cleanup-overdue",
        "no cleanup runs",
        _nothing,
        (Expected("LogCleanupOverdue", "warning"),),
        limits=lambda _arena: {"ALERT_CLEANUP_HOURS": 45 / 3600},
        after=_clean_up,
    ),
    Drill(
        "no-trace-store",
        "the voice service sends its traces to a port where nobody listens",
        _no_trace_store,
        (Expected("TelemetryDropped", "info", "record", {"service": "voice"}),),
        together="restarts",
    ),
    Drill(
        "quota",
        "crashes use up a small quota of error events",
        _quota,
        (Expected("ErrorQuotaLow", "warning", labels={"service": "app"}),),
        together="more restarts",
    ),
)
