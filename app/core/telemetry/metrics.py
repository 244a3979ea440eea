"""The metrics of all our processes. `app.core.metrics` and the shipper make their objects from this table."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from app.core.telemetry.tracked import SOURCES, TRACKED

MetricType = Literal["counter", "gauge", "histogram"]

HTTP_BUCKETS: Final = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. An edge at each limit: the SLO at 0.2, the targets 0.2/0.5/1, the alerts at 1 and 5."""

QUERY_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
"""Seconds; an edge at the slow-query limit 0.2."""

VOICE_BUCKETS: Final = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000)
"""Milliseconds; edges at the limit of a turn (1000) and at the shares of it that its stages may take."""

CALL_BUCKETS: Final = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
"""Seconds: from a wrong number to an hour."""

TaskName = Literal["reservation", "cancellation", "callback"]
"""Business tasks that a call can have done. A closed list, since each is a label value."""

TASKS: Final[tuple[str, ...]] = get_args(TaskName)

STAGES: Final = ("asr", "llm", "tts", "task")
"""What the voice service does for a call: hear, think, speak, and execute a task."""

BULK_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds; the last edge is the bulk time-out."""

CANARY_BUCKETS: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds; from an idle stack's one or two to the ten minutes after which somebody is paged."""


ANSWER_BUCKETS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0)
"""Seconds; how quick people are, with an edge at the default escalation of 15 minutes."""

ONCALL_CHANNELS: Final = ("email", "slack", "pagerduty", "opsgenie", "webhook", "telegram", "ntfy")
"""Ways in which the on-call service reaches people."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    `born` lists the label values that exist with 0 from the start, so that
    `increase()` sees the first event. `group` is what METRICS_DISABLED_GROUPS
    switches off.
    """

    name: str
    type: MetricType
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    group: str = "http"
    services: tuple[str, ...] = ("app", "voice", "oncall")
    born: tuple[tuple[str, ...], ...] = ()
    across_workers: Literal["sum", "max", "min"] = "sum"
    """How a gauge's values of several live workers become one."""


STORE_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; the last edge is ANALYTICS_STORE_TIMEOUT_SECONDS."""

_TRACKED_STORES: Final = ("postgres", "spool")

_TRACKERS: Final = ("app", "voice", "oncall")
"""Those that serve HTTP with the kit, which brings the tracker along."""
_ONCALL: Final = ("oncall",)
_SHIPPER: Final = ("shipper",)
_CLEANUP: Final = ("cleanup",)
_SPOOLING: Final = ("app", "voice", "shipper", "cleanup")
_EVERY: Final = ("app", "voice", "shipper", "oncall", "cleanup")

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("http_requests_total", "counter", "Requests answered.", ("method", "endpoint", "status_code")),
        Metric(
            "http_request_duration_seconds",
            "histogram",
            "Time from the request's arrival to the end of its answer.",
            ("endpoint",),
            unit="seconds",
            buckets=HTTP_BUCKETS,
        ),
        Metric(
            "http_time_to_first_byte_seconds",
            "histogram",
            "Time from the request's arrival to the first byte of its answer.",
            ("endpoint",),
            unit="seconds",
            buckets=HTTP_BUCKETS,
        ),
        Metric(
            "http_requests_errors_total",
            "counter",
            "Requests that ended in a 5xx or an unhandled exception.",
            ("method", "endpoint", "status_code"),
        ),
        Metric("http_exceptions_total", "counter", "Unhandled exceptions by class.", ("endpoint", "exception_type")),
        Metric("http_requests_in_progress", "gauge", "Requests being answered right now."),
        Metric("http_response_size_bytes_total", "counter", "Bytes of answer bodies.", ("endpoint",), unit="bytes"),
        Metric("websocket_active_connections", "gauge", "Open WebSockets."),
        Metric(
            "websocket_closed_total",
            "counter",
            "WebSockets ended, by close code; `other`: a code that a client made up, `refused`: no WebSocket, but an HTTP answer.",
            ("endpoint", "close_code"),
        ),
        Metric(
            "app_info",
            "gauge",
            "Constant 1; the labels say what runs.",
            ("service_name", "version", "environment"),
            group="core",
            services=_EVERY,
            across_workers="max",
        ),
        Metric(
            "log_records_emitted_total",
            "counter",
            "Log records written.",
            ("log_level",),
            group="core",
            services=_EVERY,
            born=tuple((level,) for level in ("debug", "info", "warning", "error", "critical")),
        ),
        Metric(
            "log_records_dropped_total",
            "counter",
            "Log records that never reached the spool or were dropped from it.",
            ("reason",),
            group="core",
            services=_EVERY,
            born=(("spool_full",), ("write_failed",), ("encoding_failed",)),
        ),
        Metric(
            "log_records_suppressed_total",
            "counter",
            "Log records left out on purpose: flood (the same again and again) or sampled (LOG_SAMPLE_RATE). Not among the emitted.",
            ("reason",),
            group="core",
            services=_EVERY,
            born=(("flood",), ("sampled",)),
        ),
        Metric("log_spool_bytes_written_total", "counter", "Bytes written to the spool.", unit="bytes", group="core", services=_EVERY),
        Metric(
            "app_alerts_total",
            "counter",
            "Alerts that the process itself sent, by the way they went; failed counts tries.",
            ("way",),
            group="core",
            services=("app", "voice", "oncall", "cleanup"),
            born=(("alertmanager",), ("mail",), ("slack",), ("failed",)),
        ),
        Metric(
            "telemetry_dropped_total",
            "counter",
            "Spans and error events that could not be sent.",
            ("signal",),
            group="core",
            services=_EVERY,
            born=(("span",), ("error_event",)),
        ),
        Metric(
            "telemetry_sent_total",
            "counter",
            "Spans and error events handed to their stores.",
            ("signal",),
            group="core",
            services=_EVERY,
            born=(("span",), ("error_event",)),
        ),
        Metric(
            "error_events_suppressed_total",
            "counter",
            "Error events that were not sent, by why: sampled, repeated, flood, quota.",
            ("reason",),
            group="core",
            services=_EVERY,
            born=(("sampled",), ("repeated",), ("flood",), ("quota",)),
        ),
        Metric(
            "error_events_month",
            "gauge",
            "Error events sent this month, by all processes of this machine.",
            group="core",
            services=_EVERY,
            across_workers="max",
        ),
        Metric(
            "error_events_quota_ratio",
            "gauge",
            "Part of SENTRY_MONTHLY_QUOTA that is used, 0 to 1 and more; 0 without a quota.",
            unit="ratio",
            group="core",
            services=_EVERY,
            across_workers="max",
        ),
        Metric("system_cpu_usage_percent", "gauge", "CPU use of the host, 0 to 100.", unit="percent", group="system"),
        Metric("system_memory_usage_percent", "gauge", "Memory use of the host, 0 to 100.", unit="percent", group="system"),
        Metric("system_disk_usage_percent", "gauge", "Use of the disk that holds the spool, 0 to 100.", unit="percent", group="system"),
        Metric(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory of each worker.",
            ("worker",),
            unit="bytes",
            group="system",
            services=_EVERY,
        ),
        Metric(
            "process_heap_bytes",
            "gauge",
            "Private data of each worker: heap and anonymous memory.",
            ("worker",),
            unit="bytes",
            group="system",
            services=_EVERY,
        ),
        Metric(
            "process_cpu_seconds_total", "counter", "CPU time of each worker.", ("worker",), unit="seconds", group="system", services=_EVERY
        ),
        Metric("process_open_fds", "gauge", "Open file descriptors of each worker.", ("worker",), group="system", services=_EVERY),
        Metric(
            "process_start_time_seconds",
            "gauge",
            "When each worker started, Unix time.",
            ("worker",),
            unit="seconds",
            group="system",
            services=_EVERY,
        ),
        Metric("process_workers", "gauge", "Worker processes alive.", group="system", services=_EVERY),
        Metric(
            "event_loop_lag_seconds",
            "gauge",
            "Worst delay of the event loop since the last sample.",
            unit="seconds",
            group="system",
            across_workers="max",
        ),
        Metric(
            "dependency_up",
            "gauge",
            "1 when the dependency's last check passed, else 0.",
            ("dependency",),
            group="health",
            across_workers="min",
        ),
        Metric(
            "dependency_changes_total",
            "counter",
            "Changes of a dependency's state, as each worker saw them.",
            ("dependency", "outcome"),
            group="health",
        ),
        Metric(
            "dependency_check_duration_seconds",
            "gauge",
            "Duration of the dependency's last check.",
            ("dependency",),
            unit="seconds",
            group="health",
            across_workers="max",
        ),
        Metric(
            "db_queries_total",
            "counter",
            "Database queries.",
            ("operation", "outcome"),
            group="db",
            services=("app",),
            born=tuple(
                (operation, outcome)
                for operation in ("select", "insert", "update", "delete", "other")
                for outcome in ("success", "failure", "cancelled")
            ),
        ),
        Metric(
            "db_query_duration_seconds",
            "histogram",
            "Duration of database queries.",
            ("operation",),
            unit="seconds",
            buckets=QUERY_BUCKETS,
            group="db",
            services=("app",),
        ),
        Metric(
            "db_connection_failures_total",
            "counter",
            "Times that no database connection could be had.",
            ("reason",),
            group="db",
            services=("app",),
            born=(("unreachable",), ("refused",), ("timeout",), ("pool_exhausted",)),
        ),
        Metric("db_pool_connections", "gauge", "Connections of the pool by state.", ("state",), group="db", services=("app",)),
        Metric(
            "db_pool_usage_percent",
            "gauge",
            "Share of the pool that is in use, 0 to 100.",
            unit="percent",
            group="db",
            services=("app",),
            across_workers="max",
        ),
        Metric(
            "suggestions_total",
            "counter",
            "Calls to the suggestion service by outcome.",
            ("outcome",),
            group="business",
            services=("app",),
            born=(("success",), ("failure",), ("timeout",), ("unreachable",)),
        ),
        Metric("calls_total", "counter", "Voice calls begun.", group="business", services=("app",)),
        Metric(
            "calls_ended_total",
            "counter",
            "Voice calls ended: hung up, or forgotten, when nothing happened in them for CALL_IDLE_SECONDS.",
            ("reason",),
            group="business",
            services=("app",),
            born=(("hangup",), ("forgotten",)),
        ),
        Metric(
            "call_duration_seconds",
            "histogram",
            "Length of ended voice calls; of a forgotten one until the last thing that happened in it.",
            unit="seconds",
            buckets=CALL_BUCKETS,
            group="business",
            services=("app",),
        ),
        Metric(
            "tasks_executed_total",
            "counter",
            "Business tasks executed in calls, by task and how they ended.",
            ("task", "status"),
            group="business",
            services=("app",),
            born=tuple((task, status) for task in TASKS for status in ("success", "failure")),
        ),
        Metric(
            "asr_processing_duration_ms",
            "histogram",
            "Duration of speech recognition in a turn.",
            unit="milliseconds",
            buckets=VOICE_BUCKETS,
            group="voice",
            services=("app",),
        ),
        Metric(
            "llm_ttft_duration_ms",
            "histogram",
            "Time until the language model's first token in a turn.",
            unit="milliseconds",
            buckets=VOICE_BUCKETS,
            group="voice",
            services=("app",),
        ),
        Metric(
            "tts_processing_duration_ms",
            "histogram",
            "Duration of speech synthesis in a turn.",
            unit="milliseconds",
            buckets=VOICE_BUCKETS,
            group="voice",
            services=("app",),
        ),
        Metric(
            "end_to_end_turn_duration_ms",
            "histogram",
            "From the end of the user's speech until the first sound of the answer.",
            unit="milliseconds",
            buckets=VOICE_BUCKETS,
            group="voice",
            services=("app",),
        ),
        Metric(
            "voice_stage_requests_total",
            "counter",
            "Requests to the stages of the voice service, by outcome.",
            ("stage", "outcome"),
            group="voice",
            services=("app",),
            born=tuple((stage, outcome) for stage in STAGES for outcome in ("success", "refused", "failure", "timeout", "unreachable")),
        ),
        Metric(
            "comments_submitted_total",
            "counter",
            "Comments sent, by outcome; missing is one on a post that does not exist.",
            ("outcome",),
            group="business",
            services=("app",),
            born=(("success",), ("missing",), ("failure",)),
        ),
        Metric(
            "images_generated_total",
            "counter",
            "Images generated, by model.",
            ("model",),
            group="business",
            services=("app",),
            born=(("flux",), ("sdxl",)),
        ),
        Metric(
            "graphql_errors_total",
            "counter",
            "GraphQL operations that failed: the document was refused, the caller was, the service was overloaded, or a resolver raised.",
            ("reason",),
            services=("app",),
            born=(("bad_request",), ("unauthenticated",), ("overloaded",), ("internal",)),
        ),
        Metric(
            "external_requests_total",
            "counter",
            "Calls to other services by outcome; refused ones were not made, because the circuit was open.",
            ("dependency", "outcome"),
            group="external",
            services=("app",),
            born=tuple(("voice", outcome) for outcome in ("success", "failure", "timeout", "unreachable", "refused")),
        ),
        Metric("external_retries_total", "counter", "Calls that were tried again.", ("dependency",), group="external", services=("app",)),
        Metric(
            "circuit_breaker_state",
            "gauge",
            "State of the circuit to a dependency: 0 closed, 1 half open, 2 open.",
            ("dependency",),
            group="external",
            services=("app",),
            across_workers="max",
        ),
        Metric(
            "circuit_breaker_opened_total", "counter", "Times that a circuit opened.", ("dependency",), group="external", services=("app",)
        ),
        Metric(
            "circuit_breaker_refused_total",
            "counter",
            "Calls that were not made because the circuit was open.",
            ("dependency",),
            group="external",
            services=("app",),
        ),
        Metric(
            "cache_lookups_total",
            "counter",
            "Lookups in the cache of the feed. An error is one that Redis did not answer, or a page that could not be forgotten.",
            ("outcome",),
            group="external",
            services=("app",),
            born=(("hit",), ("miss",), ("error",)),
        ),
        Metric(
            "rate_limit_checks_total",
            "counter",
            "Requests counted against their caller's limit; an error is one that Redis did not count, so the process did.",
            ("outcome",),
            group="external",
            services=("app",),
            born=(("allowed",), ("refused",), ("error",)),
        ),
        Metric(
            "feed_loads_total",
            "counter",
            "Reads of the feed by outcome.",
            ("outcome",),
            group="business",
            services=("app",),
            born=(("success",), ("empty",), ("failure",)),
        ),
        Metric(
            "chat_messages_total",
            "counter",
            "Chat messages: received from a sender, sent to a reader, delivered (the reader said so).",
            ("direction",),
            group="business",
            services=("app",),
            born=(("received",), ("sent",), ("delivered",)),
        ),
        Metric(
            "chat_messages_refused_total",
            "counter",
            "Chat messages that were not taken, and repeated ones, which were taken before.",
            ("reason",),
            group="business",
            services=("app",),
            born=(("invalid",), ("rate_limited",), ("repeated",), ("busy",)),
        ),
        Metric(
            "chat_delivery_failures_total",
            "counter",
            "Chat messages that a reader did not confirm before its connection ended, or that could not go to other workers.",
            ("reason",),
            group="business",
            services=("app",),
            born=(("connection_lost",), ("closed",), ("slow_reader",), ("fan_out",)),
        ),
        Metric(
            "chat_delivery_duration_seconds",
            "histogram",
            "Time from taking a chat message to a reader's confirmation.",
            unit="seconds",
            buckets=HTTP_BUCKETS,
            group="business",
            services=("app",),
        ),
        Metric(
            "logins_total",
            "counter",
            "Logins by outcome; `limited` are those refused after too many failures.",
            ("outcome",),
            group="business",
            services=("app",),
            born=(("success",), ("failure",), ("limited",)),
        ),
        Metric(
            "auth_token_errors_total",
            "counter",
            "Requests and connections refused for their token.",
            ("reason",),
            group="business",
            services=("app",),
            born=(("expired",), ("invalid",), ("missing",), ("revoked",), ("reused",)),
        ),
        Metric(
            "tracked_events_total",
            "counter",
            "Events tracked, by type and by who noticed them.",
            ("event_type", "source"),
            group="business",
            services=_TRACKERS,
            born=tuple((name, source) for name in TRACKED for source in SOURCES),
        ),
        Metric(
            "tracked_events_refused_total",
            "counter",
            "Events that were not tracked, by reason.",
            ("reason",),
            group="business",
            services=_TRACKERS,
            born=(("unknown_type",), ("bad_properties",), ("malformed",), ("rate_limited",), ("internal",)),
        ),
        Metric(
            "tracked_properties_removed_total",
            "counter",
            "Properties that were taken out of tracked events, by reason.",
            ("reason",),
            group="business",
            services=_TRACKERS,
            born=(("undeclared",), ("wrong_type",), ("personal",), ("size",)),
        ),
        Metric(
            "tracked_events_stored_total",
            "counter",
            "Tracked events that reached a store, or the spool on their way to Elasticsearch.",
            ("store",),
            group="business",
            services=_TRACKERS,
            born=tuple((store,) for store in _TRACKED_STORES),
        ),
        Metric(
            "tracked_events_dropped_total",
            "counter",
            "Tracked events that never reached a store.",
            ("store", "reason"),
            group="business",
            services=_SPOOLING,
            born=(
                *((store, reason) for store in _TRACKED_STORES for reason in ("queue_full", "rejected", "shutdown")),
                ("spool", "spool_full"),
            ),
        ),
        Metric(
            "tracked_events_store_failures_total",
            "counter",
            "Batches of tracked events that a store did not take at once.",
            ("store",),
            group="business",
            services=_TRACKERS,
            born=tuple((store,) for store in _TRACKED_STORES),
        ),
        Metric(
            "tracked_events_batch_duration_seconds",
            "histogram",
            "Time that storing a batch of tracked events took.",
            ("store",),
            unit="seconds",
            buckets=STORE_BUCKETS,
            group="business",
            services=_TRACKERS,
            born=tuple((store,) for store in _TRACKED_STORES),
        ),
        Metric(
            "tracked_events_queue_length",
            "gauge",
            "Tracked events that wait for a store.",
            ("store",),
            group="business",
            services=_TRACKERS,
            born=tuple((store,) for store in _TRACKED_STORES),
        ),
        Metric(
            "shipper_records_indexed_total",
            "counter",
            "Log records and tracked events that are in Elasticsearch, each counted once and durably.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_records_duplicate_total",
            "counter",
            "Records among the indexed ones that Elasticsearch already had: sent again after a crash, stored once.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_records_dead_total",
            "counter",
            "Records that went to the dead-letter index.",
            ("reason",),
            services=_SHIPPER,
            group="shipper",
            born=(("rejected",), ("malformed",), ("too_large",), ("server_error",)),
        ),
        Metric(
            "shipper_records_corrupt_total",
            "counter",
            "Pieces of the spool that were no record.",
            ("reason",),
            services=_SHIPPER,
            group="shipper",
            born=(("torn",), ("garbage",)),
        ),
        Metric(
            "shipper_retries_total",
            "counter",
            "Bulk requests or items sent again.",
            ("reason",),
            services=_SHIPPER,
            group="shipper",
            born=(("connection",), ("timeout",), ("overload",), ("server_error",), ("blocked",), ("auth",), ("rejected",), ("too_large",)),
        ),
        Metric(
            "shipper_bulk_items_total",
            "counter",
            "Bulk items by their own status.",
            ("status",),
            services=_SHIPPER,
            group="shipper",
            born=tuple((status,) for status in ("2xx", "400", "401", "403", "409", "413", "429", "4xx", "5xx")),
        ),
        Metric(
            "shipper_bulk_duration_seconds",
            "histogram",
            "Duration of bulk requests.",
            unit="seconds",
            buckets=BULK_BUCKETS,
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_batch_docs",
            "gauge",
            "Most documents in a bulk request at present; grows while answers are quick, halves on 413, 429 and time-outs.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_backlog_bytes",
            "gauge",
            "Bytes in the spool that are not delivered yet.",
            unit="bytes",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric("shipper_backlog_records", "gauge", "Records in the spool that are not delivered yet.", services=_SHIPPER, group="shipper"),
        Metric("shipper_backlog_segments", "gauge", "Segments in the spool.", services=_SHIPPER, group="shipper"),
        Metric(
            "shipper_oldest_unshipped_seconds",
            "gauge",
            "Age of the oldest record that is not delivered yet.",
            unit="seconds",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_spool_written_records",
            "gauge",
            "Records that were ever put into the spool, as its writers counted them; restarts change nothing.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_spool_dropped_records",
            "gauge",
            "Records that the bound of the spool ever took before they were delivered; restarts change nothing.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric(
            "shipper_residual_records",
            "gauge",
            "Written - indexed - dead - dropped - backlog, of one moment: 0 unless a record was lost or counted twice. "
            "NaN while the backlog is too large to be counted.",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric("shipper_spool_limit_bytes", "gauge", "Bound of the spool.", unit="bytes", services=_SHIPPER, group="shipper"),
        Metric(
            "shipper_last_success_timestamp_seconds",
            "gauge",
            "When Elasticsearch last took a batch, Unix time.",
            unit="seconds",
            services=_SHIPPER,
            group="shipper",
        ),
        Metric("shipper_held", "gauge", "1 while shipping waits for working credentials.", services=_SHIPPER, group="shipper"),
        Metric(
            "cleanup_runs_total",
            "counter",
            "Cleanups by outcome, nightly ones and those by hand.",
            ("outcome",),
            services=_CLEANUP,
            group="cleanup",
            born=(("success",), ("failure",)),
        ),
        Metric(
            "cleanup_failed",
            "gauge",
            "1 when the last cleanup failed, else 0.",
            services=_CLEANUP,
            group="cleanup",
            across_workers="max",
        ),
        Metric(
            "cleanup_last_success_timestamp_seconds",
            "gauge",
            "When a cleanup last succeeded, Unix time; 0 before the first.",
            unit="seconds",
            services=_CLEANUP,
            group="cleanup",
            across_workers="max",
        ),
        Metric("cleanup_indices_deleted_total", "counter", "Expired indices deleted.", services=_CLEANUP, group="cleanup"),
        Metric("cleanup_documents_archived_total", "counter", "Documents of the deleted indices.", services=_CLEANUP, group="cleanup"),
        Metric("cleanup_archives_expired_total", "counter", "Archives removed for their age.", services=_CLEANUP, group="cleanup"),
        Metric(
            "backup_last_success_timestamp_seconds",
            "gauge",
            "When a backup of the stack was last complete, Unix time; 0 before the first.",
            unit="seconds",
            services=_CLEANUP,
            group="cleanup",
        ),
        Metric("backup_last_duration_seconds", "gauge", "How long that took.", unit="seconds", services=_CLEANUP, group="cleanup"),
        Metric("backup_last_size_bytes", "gauge", "Size of that backup.", unit="bytes", services=_CLEANUP, group="cleanup"),
        Metric("backup_failed", "gauge", "1 when the last backup failed, else 0.", services=_CLEANUP, group="cleanup"),
        Metric(
            "backup_interval_seconds",
            "gauge",
            "BACKUP_EVERY_HOURS: how often backups are to be made; 0 when nobody expects any.",
            unit="seconds",
            services=_CLEANUP,
            group="cleanup",
        ),
        Metric("cleanup_archives", "gauge", "Archives in LOG_ARCHIVE_DIR.", services=_CLEANUP, group="cleanup"),
        Metric("cleanup_archive_bytes", "gauge", "Size of these archives.", unit="bytes", services=_CLEANUP, group="cleanup"),
        Metric(
            "canary_records_total",
            "counter",
            "Canary records by what came of them: written, then found in Elasticsearch, or missing for long.",
            ("outcome",),
            services=_CLEANUP,
            group="canary",
            born=(("written",), ("found",), ("missing",)),
        ),
        Metric(
            "canary_delay_seconds",
            "histogram",
            "Time from writing a canary record until a search finds it.",
            unit="seconds",
            buckets=CANARY_BUCKETS,
            services=_CLEANUP,
            group="canary",
        ),
        Metric(
            "canary_last_found_timestamp_seconds",
            "gauge",
            "When the newest canary record that was found had been written, Unix time; 0 before the first.",
            unit="seconds",
            services=_CLEANUP,
            group="canary",
            across_workers="max",
        ),
        Metric("oncall_alerts_received_total", "counter", "Alerts that were news.", services=_ONCALL, group="oncall"),
        Metric(
            "oncall_incidents_total",
            "counter",
            "Incidents opened.",
            ("severity",),
            services=_ONCALL,
            group="oncall",
            born=(("critical",), ("warning",), ("info",), ("none",)),
        ),
        Metric("oncall_incidents_open", "gauge", "Open incidents.", ("severity",), services=_ONCALL, group="oncall", across_workers="max"),
        Metric(
            "oncall_oldest_unacknowledged_seconds",
            "gauge",
            "Age of the oldest critical incident that nobody has acknowledged; 0 when there is none.",
            unit="seconds",
            services=_ONCALL,
            group="oncall",
            across_workers="max",
        ),
        Metric(
            "oncall_pending_notifications",
            "gauge",
            "Messages that wait to be sent.",
            services=_ONCALL,
            group="oncall",
            across_workers="max",
        ),
        Metric(
            "oncall_notifications_total",
            "counter",
            "Messages by channel and how the try ended.",
            ("channel", "outcome"),
            services=_ONCALL,
            group="oncall",
            born=tuple((channel, outcome) for channel in ONCALL_CHANNELS for outcome in ("sent", "failed")),
        ),
        Metric(
            "oncall_delivery_seconds",
            "histogram",
            "How long a channel took to take a message or to refuse it.",
            ("channel",),
            unit="seconds",
            buckets=BULK_BUCKETS,
            services=_ONCALL,
            group="oncall",
        ),
        Metric(
            "oncall_notify_seconds",
            "histogram",
            "From the opening of an incident to the first message that arrived.",
            unit="seconds",
            buckets=ANSWER_BUCKETS,
            services=_ONCALL,
            group="oncall",
        ),
        Metric(
            "oncall_acknowledge_seconds",
            "histogram",
            "From the opening of an incident to its acknowledgement (MTTA is its mean).",
            unit="seconds",
            buckets=ANSWER_BUCKETS,
            services=_ONCALL,
            group="oncall",
        ),
        Metric(
            "oncall_resolve_seconds",
            "histogram",
            "From the opening of an incident to its end (MTTR is its mean).",
            unit="seconds",
            buckets=ANSWER_BUCKETS,
            services=_ONCALL,
            group="oncall",
        ),
        Metric(
            "oncall_watchdog_age_seconds",
            "gauge",
            "Time since the watchdog alert came last.",
            unit="seconds",
            services=_ONCALL,
            group="oncall",
            across_workers="min",
        ),
        Metric(
            "oncall_heartbeats_total",
            "counter",
            "Heartbeats to the outside.",
            ("outcome",),
            services=_ONCALL,
            group="oncall",
            born=(("sent",), ("failed",)),
        ),
        Metric(
            "oncall_refused_total",
            "counter",
            "Webhooks, links, buttons and sign-ins that were refused.",
            ("reason",),
            services=_ONCALL,
            group="oncall",
            born=(("token",), ("signature",), ("password",), ("overload",), ("malformed",)),
        ),
    )
}
