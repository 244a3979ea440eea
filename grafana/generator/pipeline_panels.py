"""Panels of the dashboard Log pipeline."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.api_queries import RANGE
from grafana.generator.links import limit
from grafana.generator.log_panels import LEVELS

_HERE: Final = s.ALL_SERVICES
_EMPTY: Final = "No shipper"

LATE_SECONDS: Final = 60 * limit("ALERT_SHIPPING_MINUTES")
"""LogShippingDelayed fires at this age."""

CANARY_SECONDS: Final = 60 * limit("ALERT_CANARY_MINUTES")
"""LogCanaryMissing fires at this age."""


def _rate(counter: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({counter}{{{_HERE}}}{RANGE}))"


def glance() -> list[s.Panel]:
    """The first row: is anything lost, late or refused?"""
    return [
        s.number(
            "Residual",
            "Written - indexed - dead - dropped - backlog. 0: every record is accounted for. Above 0 records are missing, below 0 doubled.",
            "short",
            s.query(f"sum(service:log_records:residual{{{_HERE}}})"),
            _zero(),
            empty=_EMPTY,
        ).decimals(0),
        s.number(
            "Newest that a search finds",
            f"Age of the newest canary record that was found. A page at {CANARY_SECONDS / 60:g} minutes.",
            "s",
            s.query(f"time() - max(canary_last_found_timestamp_seconds{{{_HERE}}} > 0)"),
            s.limits(LATE_SECONDS, CANARY_SECONDS),
            empty="None found yet",
        ).decimals(0),
        s.number(
            "Oldest that waits",
            f"Age of the oldest record that is not delivered. A ticket at {LATE_SECONDS / 60:g} minutes.",
            "s",
            s.query(f"max(shipper_oldest_unshipped_seconds{{{_HERE}}})"),
            s.limits(60, LATE_SECONDS),
            empty=_EMPTY,
        ).decimals(1),
        s.number(
            "Spool",
            "Share of the spool's bound that waits to be delivered. At 100 % the oldest records are dropped.",
            "percentunit",
            s.query(f"max(shipper_backlog_bytes{{{_HERE}}} / shipper_spool_limit_bytes{{{_HERE}}})"),
            s.limits(limit("ALERT_SPOOL_RATIO"), 0.8),
            empty=_EMPTY,
        ).decimals(1),
        s.number(
            "Dropped",
            "Records lost in the time range shown: the spool was full, could not be written, or a record could not be encoded.",
            "short",
            s.query(f"sum(increase(log_records_dropped_total{{{_HERE}}}[$__range]))"),
            s.limits(0.5, 1),
            empty=_EMPTY,
        ).decimals(0),
        s.number(
            "Dead letters",
            "Records that Elasticsearch refused for good in the time range shown. They are kept, with the reason.",
            "short",
            s.query(f"sum(increase(shipper_records_dead_total{{{_HERE}}}[$__range]))"),
            s.limits(0.5, 100),
            empty=_EMPTY,
        ).decimals(0),
    ]


def flow() -> list[s.Panel]:
    """What goes in, and what becomes of it."""
    way = s.series(
        "Where records go",
        "Records per second: written by the services, then indexed, refused or dropped. Indexed follows emitted.",
        "ops",
        s.query(_rate("log_records_emitted_total"), "emitted", "A"),
        s.query(_rate("shipper_records_indexed_total"), "indexed", "B"),
        s.query(_rate("shipper_records_dead_total"), "dead letters", "C"),
        s.query(_rate("log_records_dropped_total"), "dropped", "D"),
        empty=_EMPTY,
    )
    way = s.colours(way, {"emitted": "light-blue", "indexed": "blue", "dead letters": "orange", "dropped": "red"})
    emitted = s.series(
        "Emitted by service",
        "Log records that each service writes per second. Click a line for the records.",
        "ops",
        s.query(_rate("log_records_emitted_total", "service"), "{{service}}"),
        empty="Nothing is written",
    ).data_links([s.logs_link("Log records", 'service_name:"${__field.labels.service}"')])
    levels = s.series(
        "Emitted by level",
        "Log records per second by level.",
        "ops",
        s.query(_rate("log_records_emitted_total", "log_level"), "{{log_level}}"),
        empty="Nothing is written",
    )
    left_out = s.series(
        "Left out on purpose",
        "Records per second that were not written because the same came again and again, or because of LOG_SAMPLE_RATE.",
        "ops",
        s.query(_rate("log_records_suppressed_total", "reason"), "{{reason}}"),
        empty="Nothing is left out",
    )
    return [way, s.stacked(emitted), s.colours(s.stacked(levels), LEVELS), left_out]


def waiting() -> list[s.Panel]:
    """What waits, and for how long."""
    age = s.series(
        "Oldest over time",
        f"Age of the oldest undelivered record. Line: a ticket at {LATE_SECONDS / 60:g} minutes.",
        "s",
        s.query(f"max by (service) (shipper_oldest_unshipped_seconds{{{_HERE}}})", "{{service}}"),
        empty=_EMPTY,
    )
    backlog = s.series(
        "Backlog",
        "Bytes in the spool that are not delivered, and the bound of the spool.",
        "bytes",
        s.query(f"sum(shipper_backlog_bytes{{{_HERE}}})", "backlog", "A"),
        s.query(f"sum(shipper_spool_limit_bytes{{{_HERE}}})", "bound", "B"),
        empty=_EMPTY,
    )
    arrival = s.series(
        "From written to found",
        "Time from writing a canary record until a search finds it.",
        "s",
        *(
            s.query(
                f"histogram_quantile({share}, sum by (le) (rate(canary_delay_seconds_bucket{{{_HERE}}}{RANGE}))) >= 0",
                f"p{share:.0%}"[:-1],
                ref,
            )
            for share, ref in ((0.5, "A"), (0.95, "B"))
        ),
        empty="No canary came back in this interval",
    )
    residual = (
        s.series(
            "Residual over time",
            "Written - indexed - dead - dropped - backlog, of one moment. It stays at 0.",
            "short",
            s.query(f"sum(service:log_records:residual{{{_HERE}}})", "residual"),
            empty=_EMPTY,
        )
        .min(-1)
        .max(1)
    )
    return [s.lines(age, (LATE_SECONDS, s.NEAR)), s.colours(backlog, {"backlog": "blue", "bound": "orange"}), arrival, residual]


def delivery() -> list[s.Panel]:
    """How Elasticsearch answers."""
    items = s.series(
        "Bulk items by status",
        "Items per second by what Elasticsearch said of each: 2xx stored, 409 already there, 429 too busy, 400 refused for good.",
        "ops",
        s.query(_rate("shipper_bulk_items_total", "status"), "{{status}}"),
        empty=_EMPTY,
    )
    items = s.colours(s.stacked(items), {"2xx": "blue", "409": "light-blue", "429": "orange", "400": "purple", "5xx": "red"})
    duration = s.series(
        "Bulk requests",
        "95 % of the bulk requests are answered within this time.",
        "s",
        s.query(f"histogram_quantile(0.95, sum by (le) (rate(shipper_bulk_duration_seconds_bucket{{{_HERE}}}{RANGE}))) >= 0", "p95"),
        empty=_EMPTY,
    )
    retries = s.series(
        "Sent again",
        "Bulk requests or items per second that are sent again, by why.",
        "ops",
        s.query(_rate("shipper_retries_total", "reason"), "{{reason}}"),
        empty=_EMPTY,
    ).data_links([s.logs_link("Log records", "event:shipper.*")])
    batch = s.series(
        "Batch size",
        "Most records in a bulk request at present. It grows while answers are quick and halves on 413, 429 and time-outs.",
        "none",
        s.query(f"max(shipper_batch_docs{{{_HERE}}})", "records"),
        empty=_EMPTY,
    )
    return [items, duration, retries, batch]


def _zero() -> d.ThresholdsConfig:
    return s.steps([(None, s.BEYOND), (-0.5, s.WELL), (0.5, s.BEYOND)])
