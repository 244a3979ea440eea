"""The spool of a process, as the settings want it; what its bound costs is counted and told."""

from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.spool import EVENTS_STREAM, SegmentName, SpoolWriter

log = get_logger(__name__)


def open_spool(settings: Settings, service: str, stream: str = "") -> SpoolWriter | None:
    """A writer for one stream of a service, or None when there is no spool. Makes no file before the first record."""
    if settings.spool_dir is None:
        return None
    return SpoolWriter(
        settings.spool_dir,
        service,
        stream=stream,
        segment_bytes=settings.spool_segment_bytes,
        max_bytes=settings.spool_max_bytes,
        fsync=settings.spool_fsync,
        fsync_seconds=settings.spool_fsync_seconds,
        on_dropped=tell_dropped,
    )


def tell_dropped(name: SegmentName, records: int) -> None:
    """Count the lost records of a dropped segment and say it. Every writer of the spool calls it, also for segments of others."""
    if name.stream == EVENTS_STREAM:
        metrics.counter("tracked_events_dropped_total").labels("spool", "spool_full").inc(records)
    else:
        metrics.counter("log_records_dropped_total").labels(reason="spool_full").inc(records)
    log.critical("The spool is full: its oldest segment was dropped", event="spool.dropped", segment=str(name), count=records)
