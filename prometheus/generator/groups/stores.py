"""What the services stand on: databases, cache, Elasticsearch, and the health monitor's view of them."""

from typing import Final

from prometheus.generator.model import SINCE_START, Alert, Group

_DEPENDENCY_STEPS: Final = (
    '`curl -s 127.0.0.1:8000/health/ -H "Authorization: Bearer $(nobet token)"` gives the error text.',
    "Is the component running (`make status`)? PostgresDown, RedisDown or ElasticsearchDown say so too.",
    "It runs, but the app cannot reach it: address or password in `.env`, connection limit, network.",
    "The app recovers by itself when it is back.",
)

_ES_DISK: Final = """
1 - min by (service, env, name) (elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes)
> <{limit}>
"""

_ES_DISK_STEPS: Final = (
    "Delete the oldest log indices, as docs/troubleshooting.md shows, or add space.",
    "At 95 % Elasticsearch blocks writes (flood stage) until use falls below 90 %; the spool keeps the records meanwhile.",
)

STORES: Final = Group(
    "stores",
    (
        Alert(
            "DependencyDown",
            "critical",
            f"""
max by (service, env, dependency) (max_over_time(dependency_up{{dependency=~"database|redis"}}[<1m>])) == 0
{SINCE_START.format("3m")}
""",
            hold="1m",
            summary="A dependency that the service needs is down.",
            description="{{ $labels.service }} cannot use its {{ $labels.dependency }}.",
            means="The health monitor's check fails; `/health/` answers 503 and requests that need it fail.",
            board="nobet-general-system-health",
            steps=_DEPENDENCY_STEPS,
            look="dependency_up",
        ),
        Alert(
            "DependencyDown",
            "warning",
            'max by (service, env, dependency) (max_over_time(dependency_up{dependency!~"database|redis"}[<1m>])) == 0',
            hold="5m",
            summary="A dependency of the service is down.",
            description="{{ $labels.service }}: the check {{ $labels.dependency }} fails.",
            means="The health monitor's check fails; the service goes on without it.",
            board="nobet-general-system-health",
            steps=_DEPENDENCY_STEPS,
            look="dependency_up",
        ),
        Alert(
            "PostgresDown",
            "critical",
            f"""
max by (service, env) (max_over_time(pg_up{{job="postgres"}}[<1m>])) == 0
{SINCE_START.format("3m")}
""",
            hold="1m",
            summary="PostgreSQL does not answer.",
            description="The exporter cannot connect to PostgreSQL.",
            means="Everything that reads or writes the database fails.",
            steps=(
                "`make status` and PostgreSQL's log: disk full, too many connections, or not started?",
                "`No space left`: free disk first, then start it. Never delete anything under its data folder.",
            ),
            look='pg_up{job="postgres"}',
        ),
        Alert(
            "RedisDown",
            "critical",
            f"""
max by (service, env) (max_over_time(redis_up{{job="redis"}}[<1m>])) == 0
{SINCE_START.format("3m")}
""",
            hold="1m",
            summary="Redis does not answer.",
            description="The exporter cannot connect to Redis.",
            means="Cache and limits are off; the database gets the whole load.",
            steps=("`make status` and Redis' log.", "`OOM`: it reached `maxmemory`; what fills it?"),
            look='redis_up{job="redis"}',
        ),
        Alert(
            "ElasticsearchDown",
            "critical",
            f"""
max by (service, env) (max_over_time(probe_success{{job="blackbox-http", service="elasticsearch"}}[<1m>])) == 0
{SINCE_START.format("3m")}
""",
            hold="1m",
            summary="Elasticsearch does not answer.",
            description="Logs and traces cannot be stored or searched; log records wait in the spool.",
            means="Requests go on and no record is lost: the spool keeps them. Traces of this time are lost.",
            steps=(
                "`make status`, then Elasticsearch's log. Most often: memory (killed), or a full disk.",
                "`max virtual memory areas vm.max_map_count`: `sysctl -w vm.max_map_count=1048576`.",
                "After the start watch `shipper_backlog_bytes` fall.",
            ),
            look='probe_success{service="elasticsearch"}',
        ),
        Alert(
            "ElasticsearchRed",
            "critical",
            'max by (service, env) (min_over_time(elasticsearch_cluster_health_status{color="red"}[<2m>])) == 1',
            hold="2m",
            summary="Elasticsearch is red.",
            description="At least one primary shard is missing; its index can be neither written nor searched completely.",
            means="Yellow is normal on one node; red is not.",
            steps=(
                "`curl -u nobet_admin 127.0.0.1:9200/_cluster/allocation/explain?pretty` says which shard and why.",
                "Disk full: free it. A damaged shard of an old index: restore it from the archive.",
            ),
            look='elasticsearch_cluster_health_status{color="red"}',
        ),
        Alert(
            "ElasticsearchDiskHigh",
            "warning",
            _ES_DISK.format(limit="ALERT_ES_DISK_WARNING_RATIO"),
            hold="10m",
            summary="Elasticsearch's disk is filling up.",
            description="{{ $value | humanizePercentage }} of the data disk of {{ $labels.name }} are used.",
            means="From 85 % Elasticsearch places no new shards there, from 95 % it takes no writes.",
            steps=_ES_DISK_STEPS,
            look="elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes",
        ),
        Alert(
            "ElasticsearchDiskHigh",
            "critical",
            _ES_DISK.format(limit="ALERT_ES_DISK_CRITICAL_RATIO"),
            hold="5m",
            summary="Elasticsearch's disk is nearly full.",
            description="{{ $value | humanizePercentage }} of the data disk of {{ $labels.name }} are used; writes stop at 95 %.",
            means="From 85 % Elasticsearch places no new shards there, from 95 % it takes no writes.",
            steps=_ES_DISK_STEPS,
            look="elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes",
        ),
        Alert(
            "ElasticsearchReadOnly",
            "critical",
            'sum by (service, env) (increase(shipper_retries_total{reason="blocked"}[<5m>])) > 0',
            hold="1m",
            summary="Elasticsearch refuses all writes.",
            description="An index is blocked for writing; log records wait in the spool of {{ $labels.service }}.",
            means="The disk passed the flood stage (95 %), or somebody set a block. Nothing is lost until the spool reaches its bound.",
            steps=(
                "`df -h` and ElasticsearchDiskHigh: free space first, as docs/troubleshooting.md shows.",
                "Elasticsearch lifts its own block below 90 %. One that a person set stays until that person takes it away.",
                "`index.blocks.write: null` in `PUT /logs-nobet-*/_settings` does that.",
            ),
            look='rate(shipper_retries_total{reason="blocked"}[<5m>])',
        ),
        Alert(
            "ElasticsearchRejecting",
            "warning",
            'sum by (service, env) (increase(elasticsearch_thread_pool_rejected_count{type="write"}[<10m>])) > 0',
            hold="10m",
            summary="Elasticsearch refuses writes for lack of capacity.",
            description="{{ $value | printf `%.0f` }} bulk requests were refused with 429.",
            means="More is written than the node can take. The shipper tries again, so nothing is lost, only late.",
            steps=("Heap and CPU of Elasticsearch; are merges or a large search running?", "Lower `SHIPPER_BATCH_DOCS`, or add a node."),
            look='rate(elasticsearch_thread_pool_rejected_count{type="write"}[<5m>])',
        ),
    ),
    board="nobet-stores",
)
