"""The dashboard System: use, saturation and errors of the machine and of each process on it."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import limit, runbook_url
from grafana.generator.pieces import bars, ceiling
from grafana.generator.system_processes import processes

UID: Final = "nobet-system"

_NODE: Final = 'env=~"$env", instance=~"$instance"'
_FILES: Final = f'{_NODE}, fstype!~"tmpfs|overlay|squashfs|ramfs"'
_DISK: Final = f'{_NODE}, device!~"zram.*|loop.*|ram.*|dm-.*"'
_WIRE: Final = f'{_NODE}, device!~"lo|veth.*|docker.*|br-.*|ifb.*"'
_R: Final = "[$__rate_interval]"

_YEAR: Final = 365 * 86400
_CORES: Final = f'count(node_cpu_seconds_total{{{_NODE}, mode="idle"}})'


def system() -> d.Dashboard:
    """Which resource of the machine runs out, and who uses it?"""
    board = s.dashboard(
        UID,
        "System",
        "Which resource of the machine runs out, and who uses it? Use, saturation and errors of CPU, memory, disk and network.",
        runbook_url(),
        variables=[s.label_variable("instance", "Machine", 'label_values(node_load1{env=~"$env"}, instance)', several=True)],
        select=s.ALL_SERVICES,
    )
    return fill(
        board, _at_a_glance(), ("CPU and memory", _cpu_and_memory()), ("Disk", _disk()), ("Network", _network()), ("Processes", processes())
    )


def _at_a_glance() -> list[s.Panel]:
    left = f"node_filesystem_avail_bytes{{{_FILES}}} / clamp_min(-deriv(node_filesystem_avail_bytes{{{_FILES}}}[$__range]), 1)"
    cpu, memory, disk = (limit(f"ALERT_{name}_PERCENT") for name in ("CPU", "MEMORY", "DISK"))
    return [
        s.number(
            "CPU used",
            f"CPU use of the host, of all its cores. A ticket at {cpu:g} %.",
            "percent",
            s.query('max(system_cpu_usage_percent{env=~"$env"})'),
            s.limits(cpu - 15, cpu),
            empty="No metrics",
        ),
        s.number(
            "Memory used",
            f"Memory use of the host without what the kernel would give back at once. A ticket at {memory:g} %.",
            "percent",
            s.query('max(system_memory_usage_percent{env=~"$env"})'),
            s.limits(memory - 10, memory),
            empty="No metrics",
        ),
        s.number(
            "Disk used",
            f"Use of the disk that holds the spool. A ticket at {disk:g} %; Elasticsearch takes no writes from 95 %.",
            "percent",
            s.query('max(system_disk_usage_percent{env=~"$env"})'),
            s.limits(disk - 10, disk),
            empty="No metrics",
        ),
        s.number(
            "Full in",
            "When the first file system is full, if it goes on growing as in the time range shown. A year at most is shown.",
            "s",
            s.query(f"min(clamp_max({left}, {_YEAR}))"),
            s.limits(3 * 86400, 86400),
            empty="Too short a time",
        ).decimals(1),
        s.number(
            "Load per core",
            "Processes that run or want to run, over five minutes, for each core. Beyond 1 they wait for each other.",
            "none",
            s.query(f"sum(node_load5{{{_NODE}}}) / {_CORES}"),
            s.limits(1, 2),
            empty="No metrics",
        ).decimals(2),
        s.number(
            "Clock offset",
            "How far the clock is from that of its time server. Beyond 50 ms logs and traces of two machines no longer fit together.",
            "s",
            s.query(f"max(abs(node_timex_offset_seconds{{{_NODE}}}))"),
            s.limits(0.02, 0.05),
            empty="No metrics",
        ),
    ]


def _cpu_and_memory() -> list[s.Panel]:
    cpu = s.series(
        "CPU by mode",
        "Share of all cores by what they do. iowait is time in which a disk was waited for, steal is time that another guest took.",
        "percentunit",
        s.query(f'sum by (mode) (rate(node_cpu_seconds_total{{{_NODE}, mode!="idle"}}{_R})) / on () group_left () {_CORES}', "{{mode}}"),
        empty="No metrics",
    ).max(1)
    memory = s.series(
        "Memory by use",
        "What the machine has, what programs use, and what is free or would be given back at once.",
        "bytes",
        s.query(f"sum(node_memory_MemTotal_bytes{{{_NODE}}})", "total", "A"),
        s.query(f"sum(node_memory_MemTotal_bytes{{{_NODE}}}) - sum(node_memory_MemAvailable_bytes{{{_NODE}}})", "used", "B"),
        s.query(f"sum(node_memory_MemAvailable_bytes{{{_NODE}}})", "available", "C"),
        s.query(f"sum(node_memory_SwapTotal_bytes{{{_NODE}}}) - sum(node_memory_SwapFree_bytes{{{_NODE}}})", "swap used", "D"),
        empty="No metrics",
    )
    waits = s.series(
        "Waiting",
        "Share of the time in which some process waited for CPU, memory or disk: saturation, as the kernel measures it. Line: 20 %.",
        "percentunit",
        s.query(f"max(rate(node_pressure_cpu_waiting_seconds_total{{{_NODE}}}{_R}))", "for CPU", "A"),
        s.query(f"max(rate(node_pressure_memory_waiting_seconds_total{{{_NODE}}}{_R}))", "for memory", "B"),
        s.query(f"max(rate(node_pressure_io_waiting_seconds_total{{{_NODE}}}{_R}))", "for disk", "C"),
        empty="The kernel does not measure it",
    )
    faults = s.series(
        "Memory trouble",
        "Pages that had to be read from disk, per second, and processes that the kernel ended for lack of memory.",
        "short",
        s.query(f"sum(rate(node_vmstat_pgmajfault{{{_NODE}}}{_R}))", "major faults per second", "A"),
        s.query(f"sum(increase(node_vmstat_oom_kill{{{_NODE}}}{_R}))", "processes ended", "B"),
        empty="No metrics",
    )
    return [
        s.stacked(s.lines(cpu, (limit("ALERT_CPU_PERCENT") / 100, s.NEAR))),
        ceiling(s.colours(memory, {"used": "orange", "available": "blue", "swap used": "purple"}), "total"),
        s.lines(waits, (0.2, s.NEAR)),
        s.colours(faults, {"processes ended": "red"}),
    ]


def _disk() -> list[s.Panel]:
    used = bars(
        "File systems",
        "Used share of each file system's space, and of its inodes: files fit neither without the one nor without the other.",
        "percentunit",
        s.now(
            f"max by (mountpoint) (1 - node_filesystem_avail_bytes{{{_FILES}}} / node_filesystem_size_bytes{{{_FILES}}})",
            "A",
            "{{mountpoint}}",
        ),
        s.now(
            f"max by (mountpoint) (1 - node_filesystem_files_free{{{_FILES}}} / (node_filesystem_files{{{_FILES}}} > 0))",
            "B",
            "{{mountpoint}} inodes",
        ),
        steps=s.limits((limit("ALERT_DISK_PERCENT") - 10) / 100, limit("ALERT_DISK_PERCENT") / 100),
        empty="No metrics",
        most=1,
    )
    rate = s.series(
        "Read and written",
        "Bytes per second from and to each disk.",
        "Bps",
        s.query(f"sum by (device) (rate(node_disk_read_bytes_total{{{_DISK}}}{_R}))", "{{device}} read", "A"),
        s.query(f"sum by (device) (rate(node_disk_written_bytes_total{{{_DISK}}}{_R}))", "{{device}} written", "B"),
        empty="No metrics",
    )
    busy = s.series(
        "Disk busy",
        "Share of the time in which the disk had something to do. Line: 90 %.",
        "percentunit",
        s.query(f"max by (device) (rate(node_disk_io_time_seconds_total{{{_DISK}}}{_R}))", "{{device}}"),
        empty="No metrics",
    )
    spent = f"rate(node_disk_read_time_seconds_total{{{_DISK}}}{_R}) + rate(node_disk_write_time_seconds_total{{{_DISK}}}{_R})"
    done = f"rate(node_disk_reads_completed_total{{{_DISK}}}{_R}) + rate(node_disk_writes_completed_total{{{_DISK}}}{_R})"
    wait = s.series(
        "Disk wait",
        "Mean time of a read or write, waiting included. Line: 20 ms, where a database begins to feel it.",
        "s",
        s.query(f"sum by (device) ({spent}) / (sum by (device) ({done}) > 0)", "{{device}}"),
        empty="Nothing read or written",
    )
    return [used, rate, s.lines(busy, (0.9, s.NEAR)), s.lines(wait, (0.02, s.NEAR))]


def _network() -> list[s.Panel]:
    rate = s.series(
        "Bandwidth",
        "Bytes per second over each network interface; what stays within the machine is not counted.",
        "Bps",
        s.query(f"sum by (device) (rate(node_network_receive_bytes_total{{{_WIRE}}}{_R}))", "{{device}} received", "A"),
        s.query(f"sum by (device) (rate(node_network_transmit_bytes_total{{{_WIRE}}}{_R}))", "{{device}} sent", "B"),
        empty="No interface",
    )
    lost = s.series(
        "Dropped and broken packets",
        "Packets per second that were dropped or damaged.",
        "pps",
        s.query(_packets("drop"), "{{device}} dropped", "A"),
        s.query(_packets("errs"), "{{device}} broken", "B"),
        empty="No interface",
    )
    connections = s.series(
        "Connections",
        "TCP connections of the machine: open ones, and those that are closed and still remembered.",
        "none",
        s.query(f"sum(node_netstat_Tcp_CurrEstab{{{_NODE}}})", "open", "A"),
        s.query(f"sum(node_sockstat_TCP_tw{{{_NODE}}})", "closing", "B"),
        empty="No metrics",
    )
    return [panel.span(8) for panel in (rate, lost, connections)]


def _packets(fate: str) -> str:
    received, sent = (f"rate(node_network_{way}_{fate}_total{{{_WIRE}}}{_R})" for way in ("receive", "transmit"))
    return f"sum by (device) ({received} + {sent})"
