"""Disk, memory and CPU, of the host and of our processes."""

from typing import Final

from prometheus.generator.model import Alert, Group

HOST: Final = Group(
    "host",
    (
        Alert(
            "HighDiskUsage",
            "warning",
            "max by (env) (system_disk_usage_percent) > <ALERT_DISK_PERCENT>",
            hold="5m",
            summary="The disk is filling up.",
            description='{{ $value | printf "%.0f" }} % of the disk that holds the spool are used; the limit is <ALERT_DISK_PERCENT> %.',
            means="Spool, Elasticsearch and PostgreSQL share this disk. At 95 % Elasticsearch refuses writes and the spool grows.",
            steps=(
                "`du -xh --max-depth=2 .stack | sort -h | tail` natively, `docker system df -v` with Compose.",
                "Old log indices are the usual cause: delete the oldest, as docs/troubleshooting.md shows under 'The disk is full'.",
                "A large spool means that shipping is stuck: see LogShippingStalled.",
            ),
            service="node",
            look="system_disk_usage_percent",
        ),
        Alert(
            "FilesystemFillingUp",
            "warning",
            """
(
  node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"} / node_filesystem_size_bytes < <ALERT_FILESYSTEM_FREE_RATIO>
  and predict_linear(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"}[<6h>], 24 * 3600) < 0
  and node_filesystem_readonly == 0
)
""",
            hold="1h",
            summary="A file system will be full within a day.",
            description="{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left and will be full within a day at this rate.",
            means="At the speed of the last hours the file system is full tomorrow.",
            steps=(
                "Find what grows: `du -xh --max-depth=2 MOUNTPOINT | sort -h | tail`.",
                "Then as for HighDiskUsage.",
            ),
            look="node_filesystem_avail_bytes / node_filesystem_size_bytes",
        ),
        Alert(
            "FilesystemFillingUp",
            "critical",
            """
(
  node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"} / node_filesystem_size_bytes
    < <ALERT_FILESYSTEM_CRITICAL_FREE_RATIO>
  and predict_linear(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs"}[<1h>], 4 * 3600) < 0
  and node_filesystem_readonly == 0
)
""",
            hold="15m",
            summary="A file system will be full within hours.",
            description="{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left and will be full within 4 hours at this rate.",
            means="When it is full, PostgreSQL stops, Elasticsearch refuses writes, and the spool drops what it cannot keep.",
            steps=(
                "Find what grows: `du -xh --max-depth=2 MOUNTPOINT | sort -h | tail`.",
                "Then as for HighDiskUsage.",
            ),
            look="node_filesystem_avail_bytes / node_filesystem_size_bytes",
        ),
        Alert(
            "NodeOomKill",
            "warning",
            "sum by (service, env, instance) (increase(node_vmstat_oom_kill[<15m>])) > 0",
            hold="0s",
            keep="15m",
            summary="The kernel ended a process for lack of memory.",
            description="{{ $value | printf `%.0f` }} processes of {{ $labels.instance }} were killed for lack of memory.",
            means="Memory ran out; what was killed is mostly the largest process, not the one at fault.",
            steps=(
                "`dmesg -T | grep -i 'killed process'` says which one, and how much it had.",
                "Elasticsearch? Its heap must fit beside everything else. A worker? See HighMemoryUsage.",
                "Is it running again (`make status`)?",
            ),
            look="increase(node_vmstat_oom_kill[<15m>])",
        ),
        Alert(
            "NodeClockSkew",
            "warning",
            """
(node_timex_offset_seconds > <ALERT_CLOCK_SKEW_SECONDS> and deriv(node_timex_offset_seconds[<5m>]) >= 0)
or (node_timex_offset_seconds < -<ALERT_CLOCK_SKEW_SECONDS> and deriv(node_timex_offset_seconds[<5m>]) <= 0)
""",
            hold="10m",
            summary="The clock of the host is wrong and gets no better.",
            description="The clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} off.",
            means="Records, traces and tokens of this host have wrong times; tokens seem expired or not yet valid.",
            steps=(
                "`timedatectl` or `chronyc tracking`: does time synchronisation run, and with which server?",
                "A virtual machine that was suspended: restart the time service.",
            ),
            look="node_timex_offset_seconds",
        ),
        Alert(
            "HighSystemMemory",
            "warning",
            "max by (env) (system_memory_usage_percent) > <ALERT_MEMORY_PERCENT>",
            hold="5m",
            summary="The host is short of memory.",
            description='{{ $value | printf "%.0f" }} % of the host\'s memory are used; the limit is <ALERT_MEMORY_PERCENT> %.',
            means="The kernel will soon end a process, mostly the largest one.",
            steps=(
                "`ps axo rss,pid,args --sort=-rss | head` or `docker stats`: who grew?",
                "Elasticsearch takes its heap and as much again; lower `-Xmx` only if it was raised by hand.",
            ),
            service="node",
            look="system_memory_usage_percent",
        ),
        Alert(
            "HighMemoryUsage",
            "warning",
            'max by (service, env, instance) (process_resident_memory_bytes{job=~"app|voice|shipper|cleanup"}) > <ALERT_RSS_BYTES>',
            hold="5m",
            summary="A process uses too much memory.",
            description="A worker of {{ $labels.service }} has {{ $value | humanize1024 }}B resident.",
            means="A worker holds more than it ever should: a leak, or a request that loads everything.",
            steps=(
                "Does it grow steadily (leak) or in a step (one request)? The panel shows which.",
                "Steady: restart the service to win time, keep the graph for the ticket.",
                "A step: which request ran then? `duration_ms` and `response_bytes` in the logs.",
            ),
            look='process_resident_memory_bytes{job=~"app|voice|shipper|cleanup"}',
        ),
        Alert(
            "HighCpuUsage",
            "warning",
            """
100 * sum by (service, env) (rate(process_cpu_seconds_total{job=~"app|voice|shipper|cleanup"}[<5m>]))
/ sum by (service, env) (process_workers > 0)
> <ALERT_CPU_PERCENT>
""",
            hold="5m",
            summary="A service is at its CPU limit.",
            description='{{ $labels.service }} uses {{ $value | printf "%.0f" }} % of what its workers can use; the limit is '
            "<ALERT_CPU_PERCENT> %.",
            means="A Python worker runs on one core, so the limit of a service is one core per worker. It is reached; requests queue.",
            steps=(
                "More traffic than usual? Add workers (`WEB_CONCURRENCY`) while cores are free.",
                "Same traffic: what was deployed? Which endpoint's time grew?",
            ),
            look='sum by (service) (rate(process_cpu_seconds_total{job=~"app|voice|shipper|cleanup"}[<5m>]))',
        ),
        Alert(
            "HostCpuHigh",
            "warning",
            "max by (env) (avg_over_time(system_cpu_usage_percent[<5m>])) > <ALERT_CPU_PERCENT>",
            hold="5m",
            summary="The host's CPU is busy.",
            description='{{ $value | printf "%.0f" }} % of the host\'s CPU are used; the limit is <ALERT_CPU_PERCENT> %.',
            means="All cores of the machine are busy; everything on it becomes slow.",
            steps=("`top -o %CPU`: who?", "Elasticsearch merging after a large backlog calms down by itself."),
            service="node",
            look="system_cpu_usage_percent",
        ),
    ),
    board="nobet-system",
)
