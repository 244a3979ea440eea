"""Panels of the dashboard System about the processes: who uses the machine."""

from typing import Final

from grafana.generator import shared as s
from grafana.generator.links import limit
from grafana.generator.pieces import Column, numbers_of

_ENV: Final = 'env=~"$env"'
_R: Final = "[$__rate_interval]"

_OWN: Final = f'{_ENV}, job!~"elasticsearch|redis|postgres"'
"""The jobs of the stores are exporters: their process metrics are those of the exporter, not of the store."""

_MEMORY: Final = f"""
sum by (service) (process_resident_memory_bytes{{{_OWN}}})
or sum by (service) (elasticsearch_jvm_memory_committed_bytes{{{_ENV}}})
or sum by (service) (redis_memory_used_rss_bytes{{{_ENV}}})
""".strip()

_CPU: Final = f"""
sum by (service) (rate(process_cpu_seconds_total{{{_OWN}}}{_R}))
or sum by (service) (rate(elasticsearch_process_cpu_seconds_total{{{_ENV}}}{_R}))
or sum by (service) (rate(redis_cpu_user_seconds_total{{{_ENV}}}{_R}) + rate(redis_cpu_sys_seconds_total{{{_ENV}}}{_R}))
""".strip()


def processes() -> list[s.Panel]:
    """CPU and memory by service, heap by worker, and a table of all."""
    cpu = s.series(
        "CPU by service",
        "Cores that each service uses. A Python worker cannot use more than one.",
        "none",
        s.query(_CPU, "{{service}}"),
        empty="No metrics",
    )
    memory = s.series(
        "Memory by service",
        "Resident memory of each service; of Elasticsearch what its Java machine has taken.",
        "bytes",
        s.query(_MEMORY, "{{service}}"),
        empty="No metrics",
    )
    resident, busy = limit("ALERT_RSS_BYTES"), limit("ALERT_CPU_PERCENT")
    heap = s.series(
        "Heap by worker",
        "Private data of each worker: heap and anonymous memory. Steady growth is a leak. "
        f"Line: a ticket at {resident / 1e9:g} GB resident.",
        "bytes",
        s.query(f"max by (service, worker) (process_heap_bytes{{{_ENV}}})", "{{service}} {{worker}}"),
        empty="No metrics",
    )
    by_worker = s.series(
        "CPU by worker",
        f"Share of a core that each worker uses. Line: a ticket at {busy:g} %.",
        "percentunit",
        s.query(f'sum by (service, worker) (rate(process_cpu_seconds_total{{{_ENV}, worker!=""}}{_R}))', "{{service}} {{worker}}"),
        empty="No metrics",
    )
    return [s.stacked(cpu), s.stacked(memory), s.lines(heap, (resident, s.NEAR)), s.lines(by_worker, (busy / 100, s.NEAR)), _table()]


def _table() -> s.Panel:
    return numbers_of(
        "Components",
        "Each process that is asked for metrics: memory, CPU, open files, starts in the time range shown, and how long it has run. "
        "Beside a store stands its exporter.",
        {"job": "Component"},
        (
            Column("Memory", "bytes", f"sum by (job) (process_resident_memory_bytes{{{_ENV}}})"),
            Column("CPU", "percentunit", f"sum by (job) (rate(process_cpu_seconds_total{{{_ENV}}}[$__range]))", 1),
            Column("Open files", "none", f"sum by (job) (process_open_fds{{{_ENV}}})"),
            Column("Starts", "none", f"sum by (job) (changes(process_start_time_seconds{{{_ENV}}}[$__range]))"),
            Column("Running for", "s", f"time() - max by (job) (process_start_time_seconds{{{_ENV}}})", 1),
        ),
        sort="Memory",
        empty="No metrics",
    )
