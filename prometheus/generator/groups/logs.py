"""The log pipeline: nothing lost, nothing late, nothing refused unseen."""

from typing import Final

from prometheus.generator.model import SINCE_START, Alert, Group

LOGS: Final = Group(
    "logs",
    (
        Alert(
            "ShipperDown",
            "critical",
            f"""
max by (service, env) (max_over_time(up{{job="shipper"}}[<2m>])) == 0
{SINCE_START.format("3m")}
""",
            hold="1m",
            summary="The shipper does not run.",
            description="No log record reaches Elasticsearch; records wait in the spool and will be delivered later.",
            means="The process that delivers logs is gone or hangs. Nothing is lost until the spool reaches its bound.",
            steps=(
                "`make status`, then the shipper's log: a second shipper on the same spool exits with `lock held`.",
                "`make up` starts it; it goes on where it stopped.",
            ),
            look='up{job="shipper"}',
        ),
        Alert(
            "ShipperHeld",
            "critical",
            "max by (service, env) (max_over_time(shipper_held[<1m>])) == 1",
            hold="1m",
            summary="Elasticsearch refuses the shipper's credentials.",
            description="{{ $labels.service }} waits for working credentials; records wait in the spool.",
            means="Elasticsearch answers 401 or 403. Shipping holds rather than throwing records away.",
            steps=(
                "Was a password changed? `ELASTICSEARCH_SHIPPER_PASSWORD` and Elasticsearch's `users` file must agree; `make up` does it.",
                "403: does the role `nobet_shipper` still allow the index prefix (`LOG_INDEX_PREFIX`)?",
                "It goes on by itself when the credentials work.",
            ),
            look="shipper_held",
        ),
        Alert(
            "LogShippingStalled",
            "critical",
            """
(
  time() - max by (service, env) (
    shipper_last_success_timestamp_seconds or process_start_time_seconds{job="shipper"}
  ) > <seconds ALERT_SHIPPING_MINUTES>
)
and on (service, env) max by (service, env) (shipper_backlog_bytes) > 0
""",
            hold="2m",
            summary="Log shipping is stalled.",
            description="{{ $labels.service }} has delivered nothing for {{ $value | humanizeDuration }}, and records are waiting.",
            means="Records wait and none is taken. Nothing is lost until the spool reaches its bound (`SPOOL_MAX_BYTES`).",
            steps=(
                "Is ElasticsearchDown or ShipperHeld firing? Go there.",
                "`event:shipper.retrying` in the shipper's own log file says which answer it gets: 429 is load, `blocked` is a full disk.",
                "Blocked by the flood stage: free disk; Elasticsearch lifts the block below its high watermark.",
            ),
            look="time() - shipper_last_success_timestamp_seconds",
        ),
        Alert(
            "LogShippingDelayed",
            "warning",
            "max by (service, env) (min_over_time(shipper_oldest_unshipped_seconds[<2m>])) > <seconds ALERT_SHIPPING_MINUTES>",
            hold="10m",
            summary="Logs arrive late.",
            description="The oldest undelivered record is {{ $value | humanizeDuration }} old.",
            means="The shipper delivers, but slower than records are written.",
            steps=(
                "Bulk items by status: 429 says that Elasticsearch is the limit, slow answers that its disk is.",
                "After an outage this is the backlog draining; watch it fall.",
            ),
            look="shipper_oldest_unshipped_seconds",
        ),
        Alert(
            "LogRecordsDropped",
            "critical",
            "sum by (service, env, reason) (increase(log_records_dropped_total[<10m>])) > 0",
            hold="0s",
            keep="15m",
            summary="Log records were lost.",
            description="{{ $labels.service }} dropped {{ $value | printf `%.0f` }} records: {{ $labels.reason }}.",
            means="Records are gone for good: the spool was full, could not be written, or a record could not be encoded.",
            steps=(
                "`spool_full`: shipping has been stuck for long; solve that, then raise `SPOOL_MAX_BYTES` if the outage was normal.",
                "`write_failed`: disk full, read-only or wrong permissions of `SPOOL_DIR`; the records went to stderr.",
                "`encoding_failed`: a bug; the caller is named on stderr.",
            ),
            look="increase(log_records_dropped_total[<10m>])",
        ),
        Alert(
            "TrackedEventsDropped",
            "warning",
            "sum by (service, env, store, reason) (increase(tracked_events_dropped_total[<10m>])) > 0",
            hold="0s",
            keep="15m",
            summary="Tracked events were lost.",
            description="{{ $labels.service }} lost {{ $value | printf `%.0f` }} events for {{ $labels.store }}: {{ $labels.reason }}.",
            means="Counts of what users do are too low for that time. Users notice nothing.",
            board="nobet-workflow-analysis",
            steps=(
                "`queue_full`: the store has been away for long; solve that, then raise `ANALYTICS_QUEUE_EVENTS` if the outage was normal.",
                "`shutdown`: the process ended while the store was away.",
                "`spool_full`: see LogRecordsDropped.",
                "`rejected`: PostgreSQL refuses what is in an event; look for `tracking.dropped` and for a migration that is missing.",
            ),
            look="increase(tracked_events_dropped_total[<10m>])",
        ),
        Alert(
            "LogSpoolFillingUp",
            "warning",
            """
(
  max by (service, env) (shipper_backlog_bytes / shipper_spool_limit_bytes) > <ALERT_SPOOL_RATIO>
)
and on (service, env) max by (service, env) (
  predict_linear(shipper_backlog_bytes[<30m>], 4 * 3600) > shipper_spool_limit_bytes
)
""",
            hold="15m",
            summary="The spool will be full within hours.",
            description="{{ $value | humanizePercentage }} of the spool are waiting, and it will be full within 4 hours.",
            means="When the spool is full, the oldest records are dropped.",
            steps=("Why is nothing delivered? See LogShippingStalled.", "To win time raise `SPOOL_MAX_BYTES`, if the disk has room."),
            look="shipper_backlog_bytes / shipper_spool_limit_bytes",
        ),
        Alert(
            "LogDlqGrowing",
            "warning",
            "sum by (service, env, reason) (increase(shipper_records_dead_total[<15m>])) > 0",
            hold="0s",
            keep="15m",
            summary="Log records went to the dead-letter index.",
            description="Elasticsearch refused {{ $value | printf `%.0f` }} records: {{ $labels.reason }}.",
            means="Single records do not fit the mapping or are too large. They are kept with the reason; the others are delivered.",
            steps=(
                "`nobet dead-letters list` has the reasons, `nobet dead-letters show ID` the whole line: nothing is lost.",
                "`rejected`: a field has a type that the template does not allow. Declare it in the telemetry contract.",
                "`nobet dead-letters replay` sends them again when the cause is mended; with `--repair` at once (docs/dead-letters.md).",
            ),
            look="increase(shipper_records_dead_total[<15m>])",
        ),
        Alert(
            "LogSpoolCorrupt",
            "warning",
            'sum by (service, env) (increase(shipper_records_corrupt_total{reason!="torn"}[<15m>])) > 0',
            hold="0s",
            keep="15m",
            summary="The spool has bytes that are no records.",
            description="{{ $value | printf `%.0f` }} pieces of the spool could not be read and were skipped.",
            means="Something else touched the files, or the disk is failing. A torn last line after a crash is normal and not meant here.",
            steps=(
                "`event:shipper.corrupt` names the segment and the position.",
                "Check the disk: `dmesg | grep -i error`, SMART.",
            ),
            look="increase(shipper_records_corrupt_total[<15m>])",
        ),
        Alert(
            "LogCanaryMissing",
            "critical",
            """
time() - (
  max by (service, env) (canary_last_found_timestamp_seconds > 0)
  or max by (service, env) (process_start_time_seconds{job="cleanup"})
) > <seconds ALERT_CANARY_MINUTES>
""",
            hold="5m",
            summary="Log records do not arrive in Elasticsearch.",
            description="The newest canary record that can be found was written {{ $value | humanizeDuration }} ago.",
            means="A record is written every `CANARY_SECONDS` and looked for as people look for theirs. It is on its way, or lost.",
            steps=(
                "Walk the pipeline: does ElasticsearchDown, ShipperDown, ShipperHeld or LogShippingStalled fire? Go there.",
                "None of them? `nobet dead-letters list`: was it refused? `shipper_spool_limit_bytes`, LogRecordsDropped: was it dropped?",
                "Does the shipper read the folder that the others write to (`SPOOL_DIR`), and is `LOG_INDEX_PREFIX` the same for all?",
                "`event:canary.written` in Elasticsearch has the last that came; `.stack/log/cleanup.log` says why none can be looked for.",
            ),
            look="time() - canary_last_found_timestamp_seconds",
        ),
        Alert(
            "LogConservationBroken",
            "critical",
            "min by (service, env) (min_over_time(abs(service:log_records:residual)[<5m>:])) > 0",
            hold="10m",
            summary="Log records were lost, or counted twice.",
            description="What was written and what became of it differ by {{ $value | printf `%.0f` }} records.",
            means="written - indexed - dead - dropped - backlog is not 0. A guard of the pipeline failed, or somebody changed its files.",
            steps=(
                "`service:log_records:residual`: above 0 records are missing, below 0 more arrived than were written. Since when?",
                "Above 0: was a segment of the spool removed or cut by hand, was there a power failure, is the disk damaged?",
                "`event:shipper.corrupt`, `event:shipper.position_rebuilt` and `dmesg` say what happened to the files then.",
                "Compare `shipper_spool_written_records` with `shipper_records_*_total`, `shipper_spool_dropped_records` and the backlog.",
                "Understood? Removing the file `.shipper/balance` in the spool accepts the difference, and the alert ends.",
            ),
            look="service:log_records:residual",
        ),
        Alert(
            "LogCleanupFailed",
            "warning",
            "max by (service, env) (max_over_time(cleanup_failed[<1m>])) == 1",
            hold="0s",
            summary="The cleanup of expired logs failed.",
            description="Nothing that is not safely archived was deleted; expired logs stay, and take space, until a cleanup succeeds.",
            means="The nightly cleanup, or one by hand, could not archive, prove or delete what has expired. No record is lost.",
            board="nobet-general-system-health",
            steps=(
                "`event:cleanup.failed` in the logs: `reason` names the step and `error_message` says what to do.",
                "`archive`: is the disk of `LOG_ARCHIVE_DIR` full, read-only or not mounted? `key`: is `LOG_ARCHIVE_IDENTITY` set?",
                "`nobet cleanup --dry-run` lists what waits; `nobet cleanup` does it now. The alert ends when a run succeeds.",
            ),
            look="cleanup_failed",
        ),
        Alert(
            "LogCleanupOverdue",
            "warning",
            "time() - max by (service, env) (cleanup_last_success_timestamp_seconds > 0) > <ALERT_CLEANUP_HOURS> * 3600",
            hold="10m",
            summary="No cleanup has succeeded for long.",
            description="The last successful cleanup of expired logs was {{ $value | humanizeDuration }} ago.",
            means="Logs are kept longer than the retention policy promises, and the disk fills.",
            board="nobet-general-system-health",
            steps=(
                "`make status`: does `cleanup` run? Its own log file says what it waits for.",
                "`cleanup.skipped` in the logs: another process holds the lease; which one, and does it get on?",
                "`nobet cleanup` does it now.",
            ),
            look="(time() - cleanup_last_success_timestamp_seconds) / 3600",
        ),
        Alert(
            "TelemetryDropped",
            "info",
            "sum by (service, env, signal) (increase(telemetry_dropped_total[<15m>])) > 0",
            hold="15m",
            summary="Spans or error events are lost.",
            description="{{ $labels.service }} could not send {{ $value | printf `%.0f` }} items of the signal {{ $labels.signal }}.",
            means="Jaeger or the error tracker is unreachable or slow. Requests are not affected.",
            board="",
            steps=("Is Jaeger up (`make status`)? Does the DSN still work?",),
            look="rate(telemetry_dropped_total[<5m>])",
        ),
    ),
    board="nobet-log-pipeline",
)
