"""Panels of the dashboard Stores about Elasticsearch: what it does, how much it has left."""

from typing import Final

from grafana.generator import shared as s
from grafana.generator.links import limit

_ENV: Final = 'env=~"$env"'
_R: Final = "[$__rate_interval]"


def elasticsearch() -> list[s.Panel]:
    """Writing and searching, heap, queues, disk."""
    work = s.series(
        "Written and searched",
        "Documents written and searches per second, over all shards.",
        "ops",
        s.query(f"sum(rate(elasticsearch_indices_indexing_index_total{{{_ENV}}}{_R}))", "written", "A"),
        s.query(f"sum(rate(elasticsearch_indices_search_query_total{{{_ENV}}}{_R}))", "searched", "B"),
        empty="Not asked",
    )
    took = s.series(
        "Time of a write and of a search",
        "Mean time that a document's writing and a search in one shard take.",
        "s",
        s.query(_mean("indexing_index_time_seconds_total", "indexing_index_total"), "write", "A"),
        s.query(_mean("search_query_time_seconds", "search_query_total"), "search", "B"),
        empty="Nothing written or searched",
    )
    heap = s.series(
        "Heap",
        "Used share of the Java heap. Saw teeth are well; steadily beyond the line, 85 %, it collects garbage and does little else.",
        "percentunit",
        s.query(
            f'max by (name) (elasticsearch_jvm_memory_used_bytes{{{_ENV}, area="heap"}}'
            f' / elasticsearch_jvm_memory_max_bytes{{{_ENV}, area="heap"}})',
            "{{name}}",
        ),
        empty="Not asked",
    ).max(1)
    garbage = s.series(
        "Garbage collection",
        "Share of the time that goes into collecting garbage, by generation. Line: 10 %.",
        "percentunit",
        s.query(f"sum by (gc) (rate(elasticsearch_jvm_gc_collection_seconds_sum{{{_ENV}}}{_R}))", "{{gc}}"),
        empty="Not asked",
    )
    queues = s.series(
        "Queues and refusals",
        "Writes and searches that wait, and those that were refused per second because the queue was full; the shipper tries again.",
        "short",
        s.query(f'sum by (type) (elasticsearch_thread_pool_queue_count{{{_ENV}, type=~"write|search"}})', "{{type}} waiting", "A"),
        s.query(
            f'sum by (type) (rate(elasticsearch_thread_pool_rejected_count{{{_ENV}, type=~"write|search"}}{_R}))', "{{type}} refused", "B"
        ),
        empty="Not asked",
    )
    disk = s.series(
        "Disk",
        "Used share of the data disk. Lines: no new shards from 85 %, shards are moved away from 90 %, no writes from 95 %. "
        f"A ticket at {limit('ALERT_ES_DISK_WARNING_RATIO') * 100:g} %, a page at {limit('ALERT_ES_DISK_CRITICAL_RATIO') * 100:g} %.",
        "percentunit",
        s.query(
            f"1 - min by (name) (elasticsearch_filesystem_data_available_bytes{{{_ENV}}}"
            f" / elasticsearch_filesystem_data_size_bytes{{{_ENV}}})",
            "{{name}}",
        ),
        empty="Not asked",
    ).max(1)
    held = s.series(
        "Data",
        "Size of all indices. How many documents there are stands in the dashboard Log pipeline.",
        "bytes",
        s.query(f"sum(elasticsearch_indices_store_size_bytes{{{_ENV}}})", "indices"),
        empty="Not asked",
    )
    return [
        s.colours(work, {"written": "blue", "searched": "purple"}).span(8),
        s.colours(took, {"write": "blue", "search": "purple"}).span(8),
        s.colours(queues, {"write refused": "red", "search refused": "orange"}).span(8),
        s.lines(heap, (0.85, s.NEAR)).span(6),
        s.lines(garbage, (0.1, s.NEAR)).span(6),
        s.lines(disk, (0.85, s.WELL), (0.9, s.NEAR), (0.95, s.BEYOND)).span(6),
        s.colours(held, {"indices": "blue"}).span(6),
    ]


def _mean(time: str, number: str) -> str:
    spent, done = (f"sum(rate(elasticsearch_indices_{name}{{{_ENV}}}{_R}))" for name in (time, number))
    return f"{spent} / ({done} > 0)"
