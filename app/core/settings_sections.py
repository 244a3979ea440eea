"""The settings, grouped by what they steer. `app.core.config.Settings` joins the groups.

Each field is an environment variable of the same name in upper case; its
description is what `.env.example` prints above it. Secrets are `SecretStr`,
so that no repr, log or traceback shows them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import NoDecode

from app.core.ports import LOOPBACK, local_url

Names = Annotated[list[str], NoDecode]
"""A comma-separated list in the environment."""

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class ServiceSettings(BaseModel):
    """Who this process is."""

    environment: Literal["development", "test", "staging", "production"] = Field(
        "development",
        description="Name of the environment. Outside development and test, weak secrets stop the start.",
    )
    app_name: str = Field("nobet", description="Name of the product; the release in error events is APP_NAME@APP_VERSION.")
    app_version: str = Field("0.1.0", description="Version of the running build.")
    service_name: str = Field("", description="service_name of the log records. Empty: each process uses its own (app, voice, shipper).")
    request_timeout_seconds: float = Field(
        30, ge=0, description="A request without an answer after so many seconds is cancelled and answered with 504. 0: never."
    )
    forwarded_allow_ips: str = Field(
        LOOPBACK, description="Proxies whose X-Forwarded-For is believed: addresses and networks (10.0.0.0/8), separated by commas."
    )
    enable_error_endpoints: bool | None = Field(None, description="Serve /crash and /debug. Empty: only in development and test.")


class LogSettings(BaseModel):
    """What is logged, in which form, and where it is kept until it is shipped."""

    log_level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "", description="Threshold. Empty: DEBUG in development, INFO elsewhere."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="Form of the records on standard output: json, or console for people."
    )
    log_stdout: bool = Field(True, description="Write records to standard output too (the spool gets them in any case).")
    log_console_id_length: int = Field(8, ge=0, description="Characters of the request id in console lines. 0: all of it.")
    log_request_start: bool = Field(True, description="Write a record when a request starts, besides the one at its end.")
    log_tracebacks: Literal["debug", "always", "never"] = Field(
        "debug", description="Tracebacks of errors: in a DEBUG record of their own, always in the error record, or never."
    )
    log_ip_mode: Literal["none", "truncated", "hashed", "full"] = Field(
        "truncated", description="How the client address stands in the login event, the only record that has one."
    )
    log_max_field_chars: Positive = Field(8192, description="Longer values are cut, with a mark that says how much is missing.")
    log_max_record_bytes: Positive = Field(65536, description="Longest record. What does not fit is cut field by field.")
    log_flood_limit: int = Field(
        1000,
        ge=0,
        description="A process writes the same record about so often in a window, then counts what it leaves out. "
        "ERROR and above are always written. 0: no limit.",
    )
    log_flood_window_seconds: Seconds = Field(10, description="Length of that window.")
    log_sample_rate: Share = Field(
        1.0, description="Share of requests, decided by their id, whose DEBUG and INFO records are written. WARNING and above always are."
    )
    log_sample_slow_ms: Positive = Field(
        1000, description="A request outside the sample keeps its last record when it took this long, or ended with 400 or above."
    )
    log_index_prefix: str = Field("logs-nobet", pattern=r"^[a-z][a-z0-9-]*$", description="Log indices are PREFIX-YYYY.MM.DD.")


class SpoolSettings(BaseModel):
    """The files between the request path and the shipper."""

    spool_dir: Path | None = Field(None, description="Folder of the spool. Empty: no spool, records go to standard output only.")
    spool_segment_bytes: Positive = Field(8 * 1024 * 1024, description="A segment is closed when it reaches this size.")
    spool_max_bytes: Positive = Field(
        2 * 1024**3, description="Bound of the whole spool. Beyond it the oldest finished segment is dropped and counted."
    )
    spool_fsync: Literal["off", "segment", "interval"] = Field(
        "off",
        description="What is forced to disk, against power loss: nothing (the kernel decides; survives kill -9), "
        "each segment when it is finished, or that and everything written, every SPOOL_FSYNC_SECONDS.",
    )
    spool_fsync_seconds: Seconds = Field(1, description="That interval.")


class CorrelationSettings(BaseModel):
    """Where the request id comes from."""

    correlation_headers: Names = Field(
        default=["X-Event-ID", "X-Request-ID", "X-Correlation-ID"],
        description="Headers that may bring the request id, in order of preference.",
    )


class MetricsSettings(BaseModel):
    """What Prometheus scrapes."""

    metrics_enabled: bool = Field(True, description="Serve /metrics.")
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token for /metrics and for health details. Empty: open in development and test, closed elsewhere.",
    )
    metrics_disabled_groups: Names = Field(
        default=[], description="Groups of metrics to leave out: http, system, db, health, business, voice."
    )
    prometheus_multiproc_dir: Path | None = Field(
        None, description="Folder in which several workers share their metrics. Needed with more than one worker."
    )
    health_interval_seconds: Seconds = Field(30, description="Interval of the health monitor.")
    health_timeout_seconds: Seconds = Field(2, description="Time limit of a single health check.")
    health_cache_seconds: float = Field(2, ge=0, description="A health answer may be this old.")
    health_elasticsearch_url: str = Field(
        "", description="Elasticsearch, which the health monitor asks, without signing in, whether it answers. Empty: not checked."
    )
    health_external_urls: Names = Field(default=[], description="External services that the health monitor checks (name=url,name=url).")
    health_required: Names = Field(default=["database", "redis"], description="Checks whose failure makes /health answer 503.")
    probe_urls: Names = Field(
        default=[],
        description="Public addresses that the blackbox exporter probes (name=https://api.example.org/health/), certificate included.",
    )
    health_disk_percent: Annotated[float, Field(gt=0, le=100)] = Field(90, description="The disk check fails above this use.")
    health_memory_percent: Annotated[float, Field(gt=0, le=100)] = Field(95, description="The memory check fails above this use.")


class StoreSettings(BaseModel):
    """Databases and the services next door."""

    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///./nobet.db"),
        description="Database. PostgreSQL: postgresql+asyncpg://user:password@host:port/name; SQLite for a trial.",
    )
    database_pool_size: Positive = Field(10, description="Connections that each worker keeps open.")
    database_pool_timeout_seconds: Seconds = Field(2, description="A request waits this long for a free connection, then it fails.")
    database_connect_timeout_seconds: Seconds = Field(5, description="Time limit of opening a connection.")
    database_timeout_seconds: Seconds = Field(5, description="Time limit of a query, kept by the server and by the client.")
    database_slow_query_ms: Positive = Field(200, description="Queries slower than this are logged as warnings.")
    redis_url: SecretStr = Field(SecretStr(""), description="Redis for cache and limits (redis://…). Empty: off.")
    voice_url: str = Field("", description="Address of the voice and suggestion service, such as http://127.0.0.1:8010. Empty: off.")
    voice_timeout_seconds: Seconds = Field(2, description="Time limit of a call to the voice and suggestion service.")
    feed_cache_seconds: float = Field(
        0, ge=0, le=60, description="How long Redis keeps a page of the feed at most; a new post ends it at once. 0: pages are not kept."
    )
    rate_limit_per_minute: int = Field(
        6000, ge=0, description="Requests that one user, or one address without a token, may send in a minute. 0: no limit."
    )
    circuit_failures: Positive = Field(5, description="After so many failures in a row a dependency is left alone for a while.")
    circuit_open_seconds: Seconds = Field(10, description="How long it is left alone, until one request tries again.")
    cors_origins: Names = Field(
        default=[], description="Origins of web pages whose scripts may call the app, such as https://app.example.org. Empty: none."
    )
    elasticsearch_url: str = Field(local_url("elasticsearch"), description="Address of Elasticsearch.")
    elasticsearch_username: str = Field("", description="User with which this process talks to Elasticsearch. Empty: no sign-in.")
    elasticsearch_password: SecretStr = Field(SecretStr(""), description="Its password.")
    elasticsearch_shards: Positive = Field(1, description="Primary shards of a new index.")
    elasticsearch_replicas: int = Field(0, ge=0, description="Replicas of a new index. 0 on a single node.")


class AuthSettings(BaseModel):
    """Who is signed in, and for how long."""

    jwt_secret: SecretStr = Field(
        SecretStr(""),
        description="Key that signs tokens (HS256), 32 characters or more. Empty: in development and test a random one "
        "for each start; elsewhere the app does not start.",
    )
    jwt_issuer: str = Field("nobet", description="Issuer of the tokens; those of another one are refused.")
    jwt_audience: str = Field("nobet-api", description="Audience of the tokens; those for another one are refused.")
    jwt_leeway_seconds: float = Field(5, ge=0, le=300, description="How far the clocks of several machines may be apart.")
    access_token_minutes: Annotated[float, Field(gt=0)] = Field(15, description="Lifetime of an access token.")
    refresh_token_days: Annotated[float, Field(gt=0)] = Field(14, description="Lifetime of a session that nobody uses.")
    login_failures_per_account: Positive = Field(10, description="Failed logins of one account until it has to wait.")
    login_failures_per_address: Positive = Field(100, description="Failed logins from one address until it has to wait.")
    login_window_seconds: Positive = Field(300, description="The time in which failed logins are counted, and the longest wait.")


class ChatSettings(BaseModel):
    """WebSockets, and the chat over them."""

    websocket_ping_seconds: Seconds = Field(
        20, description="A peer is pinged at this interval, and given up when it doesn't answer for as long again."
    )
    websocket_max_bytes: Annotated[int, Field(ge=1024)] = Field(
        65536, description="Longest message that a WebSocket takes; a longer one closes it with 1009."
    )
    chat_hello_seconds: Seconds = Field(10, description="A chat connection has to say hello within this time.")
    chat_idle_seconds: Seconds = Field(900, description="A chat connection from which nothing came for so long is closed.")
    chat_message_chars: Positive = Field(4000, description="Longest text of a chat message.")
    chat_messages_per_second: Annotated[float, Field(gt=0)] = Field(
        10, description="Chat messages that one connection may send in a second, on average; twice as many at once."
    )
    chat_queue_messages: Positive = Field(
        100, description="Chat messages that a reader may leave unread or unconfirmed; with one more it is closed as too slow."
    )
    chat_connections: Positive = Field(2000, description="Chat connections of one worker; one more is turned away with 1013.")
    chat_keep_seconds: Positive = Field(
        3600, description="How long chat messages are kept for those who come back. In Redis, else in the worker's memory."
    )
    chat_resend_seconds: Positive = Field(600, description="A chat message that is sent again within this time is delivered once.")
    chat_model: str = Field("gpt-4", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="The model of a chat that names none.")


class VoiceSettings(BaseModel):
    """How the simulated voice and suggestion service behaves. In development it can be changed at run time too."""

    voice_latency_seconds: float = Field(0.03, ge=0, description="Time that the voice service takes for an answer.")
    voice_jitter_seconds: float = Field(0.02, ge=0, description="Most that it takes longer, evenly spread.")
    voice_failure_share: Share = Field(0, description="Share of its answers that are failures.")
    voice_failure_status: Annotated[int, Field(ge=400, le=599)] = Field(503, description="HTTP status of its failures.")
    voice_failure_code: str = Field(
        "model_overloaded", pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Error code in the body of its failures."
    )
    voice_hang_share: Share = Field(0, description="Share of requests that it never answers.")
    voice_asr_latency_seconds: float = Field(0.08, ge=0, description="Time that its speech recognition takes.")
    voice_asr_jitter_seconds: float = Field(0.04, ge=0, description="Most that it takes longer, evenly spread.")
    voice_asr_failure_share: Share = Field(0, description="Share of speech recognitions that fail.")
    voice_asr_hang_share: Share = Field(0, description="Share of speech recognitions that are never answered.")
    voice_llm_latency_seconds: float = Field(0.2, ge=0, description="Time until its language model's first token.")
    voice_llm_jitter_seconds: float = Field(0.1, ge=0, description="Most that it takes longer, evenly spread.")
    voice_llm_token_seconds: float = Field(0.005, ge=0, description="Time from one token to the next.")
    voice_llm_failure_share: Share = Field(0, description="Share of questions at which the language model fails.")
    voice_llm_hang_share: Share = Field(0, description="Share of questions that it never answers.")
    voice_tts_latency_seconds: float = Field(0.08, ge=0, description="Time that its speech synthesis takes.")
    voice_tts_jitter_seconds: float = Field(0.04, ge=0, description="Most that it takes longer, evenly spread.")
    voice_tts_failure_share: Share = Field(0, description="Share of speech syntheses that fail.")
    voice_tts_hang_share: Share = Field(0, description="Share of speech syntheses that are never answered.")
    voice_task_latency_seconds: float = Field(0.05, ge=0, description="Time that a business task, such as a reservation, takes.")
    voice_task_jitter_seconds: float = Field(0.03, ge=0, description="Most that it takes longer, evenly spread.")
    voice_task_failure_share: Share = Field(0, description="Share of business tasks that fail.")
    voice_task_hang_share: Share = Field(0, description="Share of business tasks that are never answered.")


class CallSettings(BaseModel):
    """Voice calls, as the app runs them over the voice service at VOICE_URL."""

    call_asr_timeout_seconds: Seconds = Field(5, description="Time limit of the speech recognition of a turn.")
    call_llm_first_token_seconds: Seconds = Field(5, description="Time limit until the language model's first token.")
    call_llm_timeout_seconds: Seconds = Field(12, description="Time limit of the language model until its last token.")
    call_tts_timeout_seconds: Seconds = Field(5, description="Time limit of the speech synthesis of a turn.")
    call_task_timeout_seconds: Seconds = Field(5, description="Time limit of a business task, such as a reservation.")
    call_idle_seconds: Seconds = Field(300, description="A call in which nothing happens for so long ends by itself and is counted.")
    call_max_active: Positive = Field(1000, description="Most calls under way at once; a further one is refused with 429.")


class AnalyticsSettings(BaseModel):
    """What people do with the product: tracked events, and the door through which clients send theirs."""

    analytics_enabled: bool = Field(True, description="Track events.")
    analytics_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the users' pseudonyms in tracked events. Empty: events are stored without any reference to the user.",
    )
    analytics_old_keys: SecretStr = Field(
        SecretStr(""), description="Earlier keys, separated by commas: what was stored under them is still found and can be removed."
    )
    analytics_batch_events: Positive = Field(100, description="Events are stored when so many are waiting.")
    analytics_flush_seconds: Seconds = Field(5, description="Events are stored when they have waited this long.")
    analytics_queue_events: Positive = Field(
        10_000, description="Most events that wait for each store in one process. Beyond it the least important are dropped and counted."
    )
    analytics_store_timeout_seconds: Seconds = Field(5, description="Time limit of storing a batch.")
    analytics_shutdown_seconds: float = Field(3, ge=0, description="Time that a stopping process takes to store what is waiting.")
    analytics_max_event_bytes: Annotated[int, Field(ge=768)] = Field(
        1024, description="Longest stored event. Properties that do not fit are left out and counted."
    )
    events_index_prefix: str = Field(
        "",
        pattern=r"^(events-[a-z0-9-]+)?$",
        description="Event indices are PREFIX-YYYY.MM.DD. Empty: LOG_INDEX_PREFIX with `events` in the place of `logs`.",
    )
    events_retention_days: Positive = Field(
        90, description="Older tracked events are deleted from PostgreSQL; from Elasticsearch after LOG_RETENTION_DAYS."
    )
    events_max_body_bytes: Positive = Field(128 * 1024, description="Longest body of POST /api/events.")
    events_max_per_request: Positive = Field(100, description="Most events in one POST /api/events.")
    events_requests_per_minute: Positive = Field(
        60, description="Most POST /api/events of one user, or of one address without a user, in a minute."
    )
    events_oldest_hours: Annotated[float, Field(gt=0)] = Field(
        168, description="An event of a client that claims to be older is taken as this old: phones come back after days offline."
    )


class ShipperSettings(BaseModel):
    """Spool to Elasticsearch."""

    shipper_batch_docs: Positive = Field(
        4000,
        description="Most documents in one bulk request. It begins with a quarter, grows while answers take less than a second, "
        "and halves on 413, 429 and time-outs.",
    )
    shipper_batch_bytes: Positive = Field(
        4 * 1024 * 1024, description="Most bytes in one bulk request. The shipper holds a few of them in memory at once."
    )
    shipper_bind: str = Field(LOOPBACK, description="Address on which the shipper serves /metrics and /health. 0.0.0.0 in a container.")
    shipper_compression: Literal["auto", "on", "off"] = Field(
        "auto", description="Compress bulk requests (gzip). auto: unless Elasticsearch is on this machine by its address."
    )
    shipper_connections: Positive = Field(2, description="Bulk requests in flight at once.")
    shipper_poll_seconds: Seconds = Field(0.5, description="Pause between looks at an idle spool.")
    shipper_timeout_seconds: Seconds = Field(30, description="Time limit of a bulk request.")
    shipper_backoff_max_seconds: Seconds = Field(30, description="Longest pause between two tries.")
    shipper_drain_seconds: Seconds = Field(10, description="Time that a stopping shipper takes to deliver what is left.")
    shipper_item_tries: Positive = Field(
        10, description="A document that gets 500 so often, while its index takes others, becomes a dead letter; 10 take about a minute."
    )
    canary_seconds: Seconds = Field(
        30, description="Pause between two canary records, which the cleanup process writes and then looks for in Elasticsearch."
    )


class RetentionSettings(BaseModel):
    """How long logs and their archives are kept."""

    log_retention_days: Positive = Field(90, description="Daily indices older than this many days are archived and deleted.")
    log_cleanup_prefixes: Names = Field(
        default=[], description="Prefixes of further daily indices (PREFIX-YYYY.MM.DD) to clean up, besides logs, events and dead letters."
    )
    log_cleanup_at: str = Field("03:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Time of the nightly cleanup.")
    log_cleanup_timezone: str = Field("UTC", description="Time zone of LOG_CLEANUP_AT, such as Europe/Istanbul.")
    log_cleanup_bind: str = Field(LOOPBACK, description="Address on which the cleanup serves /metrics and /health. 0.0.0.0 in a container.")
    log_archive_dir: Path = Field(Path(".stack/data/cleanup"), description="Folder of the archives: a disk of its own, or a mounted one.")
    backup_dir: Path = Field(
        Path("backups"),
        description="Folder of the backups of the whole stack, from the checkout on: better a mounted one, on another disk.",
    )
    backup_keep: Positive = Field(7, description="The newest backups that stay; the others go after the next one was made and read back.")
    backup_days: Positive = Field(30, description="Backups older than this many days go with the next one. The newest stays in any case.")
    backup_every_hours: float = Field(
        0,
        ge=0,
        description="Backups are made about so often (cron, a systemd timer): an alert tells when the last is too old. 0: not watched.",
    )
    log_archive_days: Positive = Field(365, description="Archives older than this many days are deleted.")
    trace_retention_days: Positive = Field(
        30, description="Jaeger's daily indices older than this many days are deleted, without an archive."
    )
    log_archive_identity: SecretStr = Field(
        SecretStr(""),
        description="age identity (AGE-SECRET-KEY-1…) with which archives are encrypted and opened. "
        "Keep a copy elsewhere: without it they are lost.",
    )


class TraceSettings(BaseModel):
    """Traces and error events."""

    otel_exporter_otlp_endpoint: str = Field(
        "", description="OTLP/HTTP address of the trace store, such as http://127.0.0.1:4318. Empty: off."
    )
    trace_sample_rate: Share | None = Field(None, description="Share of requests that are traced. Empty: 0.1 in production, 1.0 elsewhere.")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="DSN of a Sentry-compatible server. Empty: off.")
    sentry_sample_rate: Share = Field(
        1.0, description="Share of error events that are sent, decided by request id. 0.5 halves them when the quota runs short."
    )
    sentry_always_send: Names = Field(
        default=["fatal", "critical", "payment"],
        description="Levels, categories, transaction types and exception classes that sampling, limits and quota never leave out.",
    )
    sentry_events_per_minute_of_a_kind: int = Field(
        30, ge=0, description="Most error events of one kind that a process sends in a minute. 0: no limit."
    )
    sentry_events_per_minute: int = Field(
        300, ge=0, description="Most error events of all kinds that a process sends in a minute. 0: no limit."
    )
    sentry_monthly_quota: int = Field(
        100_000,
        ge=0,
        description="Error events that the plan allows in a month. A warning comes at 80 %; beyond it only critical ones go out. 0: none.",
    )
    sentry_server_name: str = Field("", description="Name of this instance in error events. Empty: the name of the host.")
    sentry_traces_sample_rate: Share = Field(
        0.0,
        description="Share of requests sent as performance transactions, decided by request id. Traces go to Jaeger, so off.",
    )
    sentry_profiles_sample_rate: Share = Field(
        0.0, description="Share of the processes whose transactions are profiled: 1.0 profiles all of them."
    )
    sentry_send_default_pii: bool = Field(
        False, description="Send user name and e-mail with error events, besides the id. Personal data: mind the law."
    )
    sentry_failed_status_codes: str = Field("500-599", description="Answers that are reported as errors, such as 500-599,403.")
    sentry_in_development: bool = Field(True, description="Report errors in development too.")


class OncallSettings(BaseModel):
    """Who is called, and by which ways. Without a channel's setting only that channel is off."""

    oncall_policy: Path | None = Field(
        None, description="Escalation policy and rotas (YAML, see docs/examples/oncall-policy.yml). Empty: mail to ALERT_EMAIL_TO."
    )
    oncall_database_url: SecretStr = Field(SecretStr(""), description="Database of the incidents. Empty: DATABASE_URL.")
    oncall_public_url: str = Field(local_url("oncall"), description="Address of the on-call page, as people reach it from their phones.")
    oncall_token: SecretStr = Field(
        SecretStr(""), description="Bearer token with which Alertmanager and scripts talk to the on-call service."
    )
    oncall_password: SecretStr = Field(SecretStr(""), description="Password of the on-call page.")
    oncall_link_key: SecretStr = Field(SecretStr(""), description="Key that signs acknowledge links and sessions.")
    oncall_watchdog_seconds: float = Field(
        300, ge=0, description="The watchdog alert must come at least this often, else the chain itself is an incident. 0: not watched."
    )
    oncall_heartbeat_url: SecretStr = Field(
        SecretStr(""),
        description="Address outside of this machine that is asked once a minute while all is well (healthchecks.io or alike).",
    )
    slack_webhook_url: SecretStr = Field(SecretStr(""), description="Incoming webhook of Slack. Empty: off.")
    slack_signing_secret: SecretStr = Field(
        SecretStr(""), description="Signing secret of the Slack app; turns its buttons on. Empty: links."
    )
    pagerduty_key: SecretStr = Field(SecretStr(""), description="Integration key of PagerDuty (Events API v2).")
    pagerduty_url: str = Field("https://events.pagerduty.com/v2/enqueue", description="Where PagerDuty takes events.")
    opsgenie_key: SecretStr = Field(SecretStr(""), description="API key of Opsgenie.")
    opsgenie_url: str = Field("https://api.opsgenie.com", description="Opsgenie's address; https://api.eu.opsgenie.com in Europe.")
    telegram_bot_token: SecretStr = Field(SecretStr(""), description="Token of the Telegram bot that sends pages.")
    telegram_url: str = Field("https://api.telegram.org", description="Telegram's address.")
    oncall_webhook_key: SecretStr = Field(SecretStr(""), description="Key that signs the documents of webhook contacts.")


class GatewaySettings(BaseModel):
    """The gateway: the only door that may be opened to others, with TLS, limits and a sign-in in front of every page."""

    gateway_bind: str = Field(
        LOOPBACK,
        pattern=r"^[0-9.]+$",
        description="IPv4 address on which the gateway listens. 0.0.0.0 opens it to the network; plain HTTP then only leads to HTTPS.",
    )
    gateway_host: str = Field(
        "localhost",
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        description="Name under which people reach the gateway; pages are names below it, such as grafana.GATEWAY_HOST.",
    )
    gateway_https_port: int = Field(
        0, ge=0, le=65535, description="Port of HTTPS as people see it, when something forwards to the gateway (443). 0: its own."
    )
    gateway_user: str = Field("nobet", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="User of the pages without a sign-in of their own.")
    gateway_password: SecretStr = Field(SecretStr(""), description="Its password.")
    gateway_certificate: Path | None = Field(
        None, description="Certificate chain (PEM), such as certbot's fullchain.pem. Empty: one that the stack signs itself."
    )
    gateway_certificate_key: Path | None = Field(None, description="Its private key (PEM), such as certbot's privkey.pem.")
    gateway_acme_email: str = Field(
        "",
        pattern=r"^([^@\s]+@[^@\s]+)?$",
        description="Set, the stack gets a certificate for all names of the gateway by ACME and renews it. "
        "The address is for the authority's mails; setting it agrees to the authority's terms.",
    )
    gateway_acme_directory: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory",
        pattern=r"^https://\S+$",
        description="Directory of the ACME authority. For trials: https://acme-staging-v02.api.letsencrypt.org/directory",
    )
    gateway_acme_ca: Path | None = Field(
        None, description="CA file (PEM) that vouches for the ACME server's own TLS. Empty: the public authorities."
    )
    gateway_header_seconds: Positive = Field(10, description="A client has to send a request's whole header within this time.")
    gateway_body_seconds: Positive = Field(10, description="A request of whose body nothing came for so long is ended.")
    gateway_max_body_bytes: Positive = Field(2 * 1024 * 1024, description="Longest body of a request; a longer one gets 413.")
    gateway_requests_per_second: Positive = Field(
        100, description="Requests of one address in a second, on average; twice as many at once. More get 429."
    )
    gateway_connections: Positive = Field(200, description="Requests and WebSockets of one address under way at once. More get 429.")


class StackSettings(BaseModel):
    """The stack that `make up` runs."""

    web_concurrency: Positive = Field(2, description="Worker processes of the app.")
    stack_dir: Path = Field(
        Path(".stack"),
        description="State of the native stack: data, logs, rendered configuration, secrets. "
        "When it is set in the environment, `.env` is read from and written to that folder.",
    )
    stack_cache_dir: Path | None = Field(None, description="Downloads and builds of the native stack. Empty: STACK_DIR/cache.")
    stack_port_offset: int = Field(0, ge=0, le=40000, description="Added to every port, so that a second stack runs beside the first.")
    grafana_admin_user: str = Field("admin", description="Administrator of Grafana.")
    grafana_admin_password: SecretStr = Field(SecretStr(""), description="Its password.")
    error_tracker_url: str = Field(local_url("error_tracker"), description="Address of the error tracker of the stack (Bugsink).")
    error_tracker_admin_password: SecretStr = Field(
        SecretStr(""), description="Password of its administrator, who signs in as admin@nobet.example."
    )
    error_tracker_token: SecretStr = Field(SecretStr(""), description="Token with which `nobet story` reads error events from it.")
    error_tracker_secret_key: SecretStr = Field(SecretStr(""), description="Key with which it signs its sessions.")
    elasticsearch_admin_password: SecretStr = Field(SecretStr(""), description="Password of nobet_admin, for people and for set-up.")
    elasticsearch_shipper_password: SecretStr = Field(SecretStr(""), description="Password of nobet_shipper, which may only add documents.")
    elasticsearch_reader_password: SecretStr = Field(SecretStr(""), description="Password of nobet_reader (Grafana, nobet story).")
    elasticsearch_jaeger_password: SecretStr = Field(SecretStr(""), description="Password of nobet_jaeger, the trace store's user.")
    elasticsearch_cleanup_password: SecretStr = Field(
        SecretStr(""), description="Password of nobet_cleanup, which archives and deletes expired indices."
    )
    elasticsearch_exporter_password: SecretStr = Field(SecretStr(""), description="Password of nobet_exporter, which may only monitor.")
    postgres_password: SecretStr = Field(SecretStr(""), description="Password of the PostgreSQL user nobet.")
    redis_password: SecretStr = Field(SecretStr(""), description="Password of Redis.")
    alertmanager_url: str = Field(
        local_url("alertmanager"), description="Address of Alertmanager. Empty: alerts of our own processes go by mail at once."
    )
    alert_health_seconds: float = Field(
        60,
        ge=0,
        description="A needed dependency that fails for so long is an alert of the process itself, any other after five times as long. "
        "0: never.",
    )
    prometheus_url: str = Field(local_url("prometheus"), description="Address of Prometheus.")
    grafana_url: str = Field(local_url("grafana"), description="Address of Grafana, as people reach it.")
    jaeger_url: str = Field(local_url("jaeger_ui"), description="Address of Jaeger's query API.")
    smtp_server: str = Field("127.0.0.1", description="Mail server for alerts.")
    smtp_port: Positive = Field(1025, description="Its port: 1025 is the built-in inbox, 587 a real server with STARTTLS.")
    smtp_username: str = Field("", description="Mail user. Empty: no sign-in.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Mail password.")
    alert_email_from: str = Field("nobet@localhost", description="Sender of alert mails.")
    alert_email_to: str = Field("oncall@localhost", description="Receiver of alert mails.")
    prometheus_retention: str = Field("30d", description="How long Prometheus keeps data.")
    prometheus_rule_scale: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Factor for all windows and holding times of the rules, and for the times that Alertmanager gathers alerts. "
        "0.1: alerts come ten times as quick, for drills.",
    )
    prometheus_scrape_interval: str = Field("15s", description="Interval in which Prometheus scrapes.")
