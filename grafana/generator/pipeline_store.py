"""Panels of the dashboard Log pipeline about what is lost or refused, and about Elasticsearch."""

from typing import Final

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s
from grafana.generator.api_queries import RANGE
from grafana.generator.elastic import DEAD_LETTERS, rows
from grafana.generator.links import story_link
from grafana.generator.log_panels import linked
from grafana.generator.log_panels import rows as document_rows

_HERE: Final = s.ALL_SERVICES


def store() -> list[s.Panel]:
    """Elasticsearch itself, as far as the pipeline depends on it, and what it refused."""
    disk = s.series(
        "Disk of Elasticsearch",
        "Used share of the data disks. Lines: Elasticsearch allots no new shards at 85 %, moves them at 90 %, stops writing at 95 %.",
        "percentunit",
        s.query(
            f"1 - elasticsearch_filesystem_data_available_bytes{{{_HERE}}} / elasticsearch_filesystem_data_size_bytes{{{_HERE}}}",
            "{{name}}",
        ),
        empty="No Elasticsearch",
    ).max(1)
    heap = s.series(
        "Heap of Elasticsearch",
        "Used share of the Java heap. Staying above 85 % it collects garbage instead of working.",
        "percentunit",
        s.query(
            f'elasticsearch_jvm_memory_used_bytes{{{_HERE}, area="heap"}} / elasticsearch_jvm_memory_max_bytes{{{_HERE}, area="heap"}}',
            "{{name}}",
        ),
        empty="No Elasticsearch",
    ).max(1)
    rejected = s.series(
        "Rejected writes",
        "Bulk work per second that Elasticsearch refused because its queue is full; the shipper sends it again.",
        "ops",
        s.query(f'sum by (name) (rate(elasticsearch_thread_pool_rejected_count{{{_HERE}, type="write"}}{RANGE}))', "{{name}}"),
        empty="No Elasticsearch",
    )
    return [
        s.lines(disk, (0.85, s.WELL), (0.9, s.NEAR), (0.95, s.BEYOND)).span(8),
        s.lines(heap, (0.85, s.NEAR)).span(8),
        rejected.span(8),
        _drops(),
        _dead_letters(),
    ]


def _drops() -> table.Panel:
    counters = {
        "log_records_dropped_total": "dropped",
        "shipper_records_dead_total": "dead letter",
        "shipper_records_corrupt_total": "corrupt",
        "telemetry_dropped_total": "not sent",
        "tracked_events_dropped_total": "tracked event dropped",
    }
    panel = (
        table.Panel()
        .title("Losses by reason")
        .description(
            "How many in the time range shown, with what was lost and why. `torn` is the last line after a crash, which is normal."
        )
        .datasource(s.PROMETHEUS)
        .no_value("Nothing is counted")
    )
    asked = []
    for counter, word in counters.items():
        label = "signal" if counter == "telemetry_dropped_total" else "reason"
        lost = f'label_replace(sum by (service, {label}) (increase({counter}{{{_HERE}}}[$__range])), "what", "{word}", "", "")'
        asked.append(lost if label == "reason" else f'label_replace({lost}, "reason", "$1", "{label}", "(.*)")')
    panel.with_target(s.now(f"sum by (service, what, reason) ({' or '.join(asked)})"))
    return (
        panel.with_transformation(s.arranged({"what": "What", "reason": "Reason", "service": "Service", "Value": "Records"}, "Time"))
        .override_by_name("Records", [dm.DynamicConfigValue("unit", "short"), dm.DynamicConfigValue("decimals", 0)])
        .span(12)
        .height(9)
    )


def _dead_letters() -> table.Panel:
    columns = {
        "dead_at": ("Refused", "dateTimeAsIso"),
        "service_name": ("Service", ""),
        "reason": ("Reason", ""),
        "error_message": ("Elasticsearch said", ""),
        "request_id": ("Id", ""),
    }
    panel = document_rows(
        "Refused records",
        "Records that Elasticsearch refused, with what it said. `nobet dead-letters replay` sends them again when the cause is mended.",
        rows("*", DEAD_LETTERS, limit=100),
        columns,
        empty="No dead letters",
    ).datasource(DEAD_LETTERS)
    return linked(panel, "Id", [story_link()]).span(12).height(9)
