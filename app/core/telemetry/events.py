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
        Event("websocket.identified", "INFO", "A WebSocket goes on under the id of its first message: client_request_id."),
        Event("websocket.closed", "INFO", "A WebSocket ended; close_code and reason say how. WARNING when it broke off."),
        Event("app.started", "INFO", "A process is ready."),
        Event("app.stopped", "INFO", "A process ended in order."),
        Event("telemetry.failing", "WARNING", "Spans or error events can't be sent; they are dropped and counted."),
        Event("telemetry.recovered", "INFO", "Spans or error events are sent again."),
        Event("error_tracking.started", "INFO", "Error events are sent from now on; the rates in force are under extra."),
        Event("error_tracking.quota_low", "WARNING", "Error events reached 80 % of SENTRY_MONTHLY_QUOTA; count says how many there were."),
        Event("error.raised", "ERROR", "An exception was logged."),
        Event("error.traceback", "DEBUG", "The stack of the exception that the record before is about."),
        Event("chat.started", "INFO", "A chat was begun; chat_id names it."),
        Event("chat.joined", "INFO", "A connection takes part in a chat; count says how many messages it had missed."),
        Event("chat.message.received", "INFO", "A chat message was taken; bytes is the length of its text, which is nowhere."),
        Event("chat.message.repeated", "INFO", "A chat message was sent again; it was confirmed again and delivered once."),
        Event("chat.message.refused", "INFO", "A chat message was not taken; reason says why."),
        Event("chat.message.sent", "DEBUG", "A chat message was sent to a reader."),
        Event("chat.message.delivered", "INFO", "A reader has confirmed a chat message; duration_ms since it was taken."),
        Event("chat.message.undelivered", "WARNING", "A connection ended with unconfirmed chat messages; count says how many."),
        Event("chat.renewed", "INFO", "A chat goes on with a new token."),
        Event("chat.store.failing", "WARNING", "Redis is away: the chat stays within each worker."),
        Event("chat.store.recovered", "INFO", "Redis is back: the chat goes across workers again."),
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
        Event("call.started", "INFO", "A voice call began."),
        Event("call.ended", "INFO", "A voice call was hung up; duration_ms says how long it was, count how many turns it had."),
        Event("call.forgotten", "WARNING", "A voice call in which nothing happened any more was ended."),
        Event("call.sweep_failed", "WARNING", "Forgotten calls could not be looked for; said once until it works again."),
        Event("call.stage_completed", "INFO", "A stage of a turn was done; stage and duration_ms say which and how long it took."),
        Event("call.stage_failed", "WARNING", "A stage of the voice service failed; stage, outcome and error_code say which and how."),
        Event("call.turn_completed", "INFO", "A turn was answered; duration_ms is the time that the caller waited for the first sound."),
        Event("call.task_completed", "INFO", "A business task was executed in a call."),
        Event("call.task_failed", "WARNING", "A business task failed in a call; task and reason say which and why."),
        Event("voice.stage_completed", "INFO", "The voice service did its part of a call; stage says which."),
        Event("voice.suggested", "INFO", "The suggestion service made suggestions."),
        Event("voice.knobs_changed", "WARNING", "Somebody changed how the voice service behaves."),
        Event("voice.refused", "WARNING", "The suggestion service refused, as its failure settings ask."),
        Event("token.expired", "WARNING", "A request was refused because its token is too old; user_id is the token's."),
        Event("token.invalid", "WARNING", "A request was refused because its token can't be trusted; reason says why."),
        Event("token.missing", "INFO", "A request was refused because it had no token."),
        Event("post.viewed", "INFO", "A post was read."),
        Event("post.missing", "INFO", "A post was asked for that does not exist."),
        Event("post.created", "INFO", "A post was stored."),
        Event("post.deleted", "INFO", "A post was deleted."),
        Event("post.refused", "INFO", "Somebody else's post was to be deleted; the answer was 403."),
        Event("comment.created", "INFO", "A comment was stored."),
        Event("comment.slow", "WARNING", "A comment was stored, but took longer than its target of 500 ms."),
        Event("comment.failed", "ERROR", "A comment could not be stored."),
        Event("comment.listed", "INFO", "The comments on a post were read."),
        Event("image.generated", "INFO", "An image was generated; extra names model and size, never what it shows."),
        Event("image.missing", "INFO", "An image was asked for that does not exist."),
        Event("graphql.completed", "INFO", "A GraphQL operation was executed; graphql_operation names it."),
        Event("graphql.refused", "INFO", "A GraphQL document was refused before it was executed; reason says why."),
        Event("graphql.failed", "ERROR", "A GraphQL resolver failed."),
        Event("circuit.opened", "WARNING", "A dependency failed too often and is left alone for a while; component says which."),
        Event("circuit.half_open", "INFO", "The pause is over; one call may try the dependency."),
        Event("circuit.closed", "INFO", "The dependency works again."),
        Event("external.retried", "INFO", "A call to a dependency failed and is tried again; attempt says for which time."),
        Event("cache.failed", "WARNING", "Redis did not answer; the request went on without it."),
        Event(
            "rate_limit.exceeded", "WARNING", "A caller reached its limit for this minute; further requests of it are answered with 429."
        ),
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
        Event("cleanup.started", "INFO", "A cleanup of expired indices began; count says how many there are."),
        Event("cleanup.archived", "INFO", "An expired index was archived, and the archive was read back and found complete."),
        Event("cleanup.deleted", "INFO", "An archived index was deleted."),
        Event("cleanup.kept", "WARNING", "An archived index changed before it could be deleted; the next run takes it."),
        Event("cleanup.completed", "INFO", "A cleanup ended; extra names indices, documents and the place of the archives."),
        Event("cleanup.failed", "ERROR", "A cleanup failed; reason names the step. Nothing was deleted unless extra.indices says so."),
        Event("cleanup.skipped", "INFO", "A cleanup did not run because another process is at it."),
        Event("archive.expired", "INFO", "An archive was older than LOG_ARCHIVE_DAYS and was removed."),
        Event("archive.restored", "INFO", "An archive was written back into an index."),
        Event("tracking.refused", "WARNING", "Code tracked an event that is not declared; it was refused and counted."),
        Event("tracking.failing", "WARNING", "Tracked events can't be stored; they wait and are tried again. component says where."),
        Event("tracking.recovered", "INFO", "Tracked events are stored again."),
        Event("tracking.dropped", "WARNING", "Tracked events were dropped; reason and count say why and how many."),
        Event("spool.failed", "ERROR", "A record could not be written to the spool; it went to standard error."),
        Event("spool.recovered", "WARNING", "The spool can be written again; count says how many records it missed."),
        Event("spool.dropped", "ERROR", "The spool is full; the oldest segment was dropped."),
    )
}
