"""The events: machine names of what happened, in the field `event`."""

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its usual level and its meaning."""

    name: str
    level: Level
    meaning: str


EVENTS: Final[dict[str, Event]] = {
    event.name: event
    for event in (
        Event("http.request.started", "INFO", "A request arrived."),
        Event("http.request.completed", "INFO", "A request was answered. ERROR when the answer is a 5xx."),
        Event("http.request.failed", "ERROR", "An unhandled exception ended a request; the answer was 500."),
        Event("http.request.cancelled", "WARNING", "The client went away before the answer was complete."),
        Event("http.request.timed_out", "ERROR", "A request took longer than REQUEST_TIMEOUT_SECONDS; the answer was 504."),
        Event("http.request.id_rejected", "WARNING", "A request id from outside was malformed, doubled or too long; a new one was made."),
        Event("http.access", "INFO", "Uvicorn's own access line, when its access log is on; without address and query."),
        Event("websocket.opened", "INFO", "A WebSocket was accepted."),
        Event("websocket.closed", "INFO", "A WebSocket ended; outcome and close_code say how."),
        Event("app.started", "INFO", "A process is ready."),
        Event("app.stopped", "INFO", "A process ended in order."),
        Event("telemetry.failing", "WARNING", "Spans or error events can't be sent; they are dropped and counted."),
        Event("telemetry.recovered", "INFO", "Spans or error events are sent again."),
        Event("error.raised", "ERROR", "An exception was logged."),
        Event("error.traceback", "DEBUG", "The stack of the exception that the record before is about."),
        Event("feed.requested", "INFO", "The feed is about to be read."),
        Event("feed.loaded", "INFO", "The feed was read; count says how many posts."),
        Event("feed.empty", "INFO", "The feed was read and had no posts."),
        Event("feed.failed", "ERROR", "The feed could not be read."),
        Event("http.request.invalid", "INFO", "A request was refused with 400; reason names the parameters, never their values."),
        Event("db.query", "DEBUG", "A query ran."),
        Event("db.query.slow", "WARNING", "A query took longer than DATABASE_SLOW_QUERY_MS."),
        Event("db.query.failed", "ERROR", "A query failed, or no connection for it could be had (operation: connect); reason says why."),
        Event("db.migrated", "INFO", "The schema was brought up to date; version says to which revision."),
        Event("suggestion.requested", "INFO", "The suggestion service is about to be asked."),
        Event("suggestion.received", "INFO", "The suggestion service answered."),
        Event("suggestion.failed", "WARNING", "The suggestion service failed; error_code says how."),
        Event("suggestion.timed_out", "WARNING", "The suggestion service did not answer in time."),
        Event("voice.suggested", "INFO", "The suggestion service made suggestions."),
        Event("voice.knobs_changed", "WARNING", "Somebody changed how the voice service behaves."),
        Event("voice.refused", "WARNING", "The suggestion service refused, as its failure settings ask."),
        Event("post.viewed", "INFO", "A post was read."),
        Event("post.missing", "INFO", "A post was asked for that does not exist."),
        Event("post.created", "INFO", "A post was stored."),
        Event("post.deleted", "INFO", "A post was deleted."),
        Event("health.changed", "WARNING", "A dependency's state changed; component and outcome say which and how."),
        Event("health.checked", "DEBUG", "The health monitor ran."),
        Event("shipper.started", "INFO", "The shipper is ready."),
        Event("shipper.stopped", "INFO", "The shipper ended in order."),
        Event("shipper.retrying", "WARNING", "Elasticsearch refused or did not answer; the batch will be sent again."),
        Event("shipper.held", "ERROR", "Elasticsearch refuses the shipper's credentials; shipping waits."),
        Event("shipper.recovered", "INFO", "Shipping goes on after trouble."),
        Event("shipper.dead_letter", "WARNING", "A record was refused for good and went to the dead-letter index."),
        Event("shipper.corrupt", "WARNING", "Bytes in the spool were no record; they were skipped and counted."),
        Event("shipper.position_rebuilt", "WARNING", "The position file was unusable; segments are read from their start."),
        Event(
            "shipper.position_unsaved", "ERROR", "Positions could not be saved; after a crash more would be sent twice, and stored once."
        ),
        Event("spool.failed", "ERROR", "A record could not be written to the spool; it went to standard error."),
        Event("spool.recovered", "WARNING", "The spool can be written again; count says how many records it missed."),
        Event("spool.dropped", "ERROR", "The spool is full; the oldest segment was dropped."),
    )
}
