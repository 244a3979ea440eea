"""Names of the contract that a healthy system with visitors may go without: what must happen before they are emitted.

Everything else is expected on a running stack with visitors, and the tests look for it there.
"""

from typing import Final

SELDOM: Final[dict[str, tuple[str, ...]]] = {
    "LOG_LEVEL is debug, or LOG_FORMAT is for people": (
        "error.traceback", "chat.message.sent", "db.query", "token.accepted", "health.checked", "canary.unknown",
        "cleanup.unknown", "line_number", "process_id",
    ),
    "Uvicorn's access log is switched on": ("http.access",),
    "an error tracker is configured": ("error_tracking.started", "error_tracking.quota_low"),
    "a process ends": ("app.stopped", "shipper.stopped"),
    "a new version comes": ("app.deployed", "db.migrated"),
    "Elasticsearch is away, slow, or refuses the shipper": (
        "shipper.retrying", "shipper.recovered", "shipper.held", "attempt",
    ),
    "Elasticsearch refuses a record for good, or somebody deals with such a record": (
        "shipper.dead_letter", "dead_letters.replayed", "dead_letters.dropped",
    ),
    "the spool is full, damaged, or can't be written": (
        "shipper.corrupt", "shipper.position_rebuilt", "shipper.position_unsaved", "spool.failed", "spool.recovered",
        "spool.dropped", "segment",
    ),
    "an index is due for cleanup, or somebody restores one": (
        "cleanup.started", "cleanup.archived", "cleanup.deleted", "cleanup.kept", "cleanup.completed", "cleanup.failed",
        "cleanup.skipped", "cleanup.unnoted", "archive.expired", "archive.restored", "tracking.expired", "index_name",
    ),
    "the gateway gets its certificate by ACME": ("certificate.issued", "certificate.failed"),
    "somebody makes a backup": ("backup.completed", "backup.failed"),
    "somebody's data is erased": ("user.erased",),
    "the database is away or slow, or refuses a query": (
        "db.query.slow", "db.query.failed", "feed.failed", "comment.slow", "comment.failed", "call.sweep_failed",
        "tracking.failing", "tracking.recovered", "tracking.dropped", "statement", "rows", "operation", "feed_load_failed",
    ),
    "Redis is away": ("cache.failed", "chat.relay.failing", "chat.relay.recovered"),
    "the store of traces or of error events is away": ("telemetry.failing", "telemetry.recovered"),
    "a dependency comes or goes": ("health.changed", "component", "dependency_changes_total"),
    "the voice service is slow, fails, or is told to": (
        "suggestion.failed", "suggestion.timed_out", "suggestion_unavailable", "circuit.opened", "circuit.half_open",
        "circuit.closed", "external.retried", "call.stage_failed", "call.task_failed", "voice.refused",
        "voice.knobs_changed", "error_code",
    ),
    "an exception is not handled, or a request lasts too long": (
        "http.request.failed", "http.request.timed_out", "error.raised", "graphql.failed", "http_exceptions_total",
        "http_requests_errors_total", "error_type", "error_message", "error_location", "traceback",
    ),
    "a client goes away early": (
        "http.request.cancelled", "chat.message.undelivered", "call.forgotten", "notification_not_received",
        "websocket_closed_total",
    ),
    "a client does what it should not": (
        "http.request.id_rejected", "client_request_id", "chat.message.refused", "chat.message.repeated",
        "graphql.refused", "image.missing", "post.refused", "password.refused", "rate_limit.exceeded", "token.expired",
        "token.invalid", "token.missing", "token.reused", "token.revoked", "tracking.refused", "session_expired",
    ),
    "a visitor does what few do": (
        "account.closed", "chat.renewed", "password.changed", "post.deleted", "session.ended", "token.refreshed",
        "websocket.identified",
    ),
    "a client application reports it": ("payment_started", "post_started"),
    "there are no posts": ("feed.empty",),
    "the same record comes again and again": ("suppressed",),
    "an alert fires, or somebody answers one": (
        "alert.raised", "alert.ended", "alert.undelivered", "oncall.opened", "oncall.escalated", "oncall.notified",
        "oncall.delivery_failed", "oncall.acknowledged", "oncall.released", "oncall.resolved", "oncall.silenced",
        "oncall.refused", "oncall.watchdog", "oncall.heartbeat_failed", "oncall.clock", "incident_id", "alert_name",
        "oncall_delivery_seconds",
    ),
}  # fmt: skip
"""What must happen → the metrics, log fields, events, tracked events and spans that come of it."""

CAUSES: Final[dict[str, str]] = {name: cause for cause, names in SELDOM.items() for name in names}
"""Each of these names and its cause."""
