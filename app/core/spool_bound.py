"""Counts and tells what the bound of the spool cost, whichever stream the dropped segment belonged to."""

from app.core import metrics
from app.core.logger import get_logger
from app.core.spool import EVENTS_STREAM, SegmentName

log = get_logger(__name__)


def tell_dropped(name: SegmentName, records: int) -> None:
    """Count the records of a dropped segment and say it. Every writer of the spool calls it, also for segments of others."""
    if name.stream == EVENTS_STREAM:
        metrics.counter("tracked_events_dropped_total").labels("spool", "spool_full").inc(records)
    else:
        metrics.counter("log_records_dropped_total").labels(reason="spool_full").inc(records)
    log.error("The spool is full: its oldest segment was dropped", event="spool.dropped", segment=str(name), count=records)
