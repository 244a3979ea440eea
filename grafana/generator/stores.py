"""The dashboard Stores: PostgreSQL, Redis and Elasticsearch, from their own numbers and from the app's side."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import limit, runbook_url
from grafana.generator.pieces import ceiling
from grafana.generator.stores_elasticsearch import elasticsearch

UID: Final = "nobet-stores"

_ENV: Final = 'env=~"$env"'
_DATABASE: Final = f'{_ENV}, datname!~"template.*|postgres|"'
_R: Final = "[$__rate_interval]"


def stores() -> d.Dashboard:
    """Do the stores keep up, and how far are they from their limits?"""
    board = s.dashboard(
        UID,
        "Database, Redis, Elasticsearch",
        "Do the stores keep up, and how far are they from their limits? PostgreSQL, Redis and Elasticsearch.",
        runbook_url(),
        variables=[],
        select=s.ALL_SERVICES,
    )
    return fill(board, _at_a_glance(), ("PostgreSQL", _postgres()), ("Redis", _redis()), ("Elasticsearch", elasticsearch()))


def _at_a_glance() -> list[s.Panel]:
    up = dm.ValueMap(options={"1": dm.ValueMappingResult(text="Up", index=0), "0": dm.ValueMappingResult(text="Down", index=1)})
    colour = dm.ValueMap(
        options={
            "0": dm.ValueMappingResult(text="Green", index=0),
            "1": dm.ValueMappingResult(text="Yellow", index=1),
            "2": dm.ValueMappingResult(text="Red", index=2),
        }
    )
    yellow, red = (f'elasticsearch_cluster_health_status{{{_ENV}, color="{name}"}}' for name in ("yellow", "red"))
    near, beyond = limit("ALERT_ES_DISK_WARNING_RATIO"), limit("ALERT_ES_DISK_CRITICAL_RATIO")
    return [
        s.number(
            "PostgreSQL",
            "Whether its exporter can connect to it.",
            "none",
            s.query(f"min(pg_up{{{_ENV}}})"),
            s.limits(1, 0.5),
            empty="Not asked",
        ).mappings([up]),
        s.number(
            "Connections",
            "Share of the connections to PostgreSQL that may be open at once and are. At 100 % nobody else gets in.",
            "percentunit",
            s.query(f"sum(pg_stat_activity_count{{{_ENV}}}) / max(pg_settings_max_connections{{{_ENV}}})"),
            s.limits(0.7, 0.9),
            empty="Not asked",
        ).decimals(0),
        s.number(
            "Redis",
            "Whether its exporter can connect to it.",
            "none",
            s.query(f"min(redis_up{{{_ENV}}})"),
            s.limits(1, 0.5),
            empty="Not asked",
        ).mappings([up]),
        s.number(
            "Redis' memory",
            "Share of the memory that Redis may use. Beyond it, keys are evicted.",
            "percentunit",
            s.query(f"max(redis_memory_used_bytes{{{_ENV}}} / (redis_memory_max_bytes{{{_ENV}}} > 0))"),
            s.limits(0.8, 0.95),
            empty="No bound set",
        ).decimals(0),
        s.number(
            "Elasticsearch",
            "Green: every shard and its copies are there. Yellow: copies are missing, as always with a single node. Red: data is missing.",
            "none",
            s.query(f"max({yellow} + on (instance) 2 * {red})"),
            s.limits(1, 2),
            empty="Not asked",
        ).mappings([colour]),
        s.number(
            "Its disk",
            f"Used share of its disk. A ticket at {near * 100:g} %, a page at {beyond * 100:g} %; from 95 % it takes no writes.",
            "percentunit",
            s.query(
                f"1 - min(elasticsearch_filesystem_data_available_bytes{{{_ENV}}} / elasticsearch_filesystem_data_size_bytes{{{_ENV}}})"
            ),
            s.limits(near, beyond),
            empty="Not asked",
        ).decimals(0),
    ]


def _postgres() -> list[s.Panel]:
    connections = s.series(
        "Connections by state",
        "Connections to the database by what they do. Idle in transaction: somebody holds locks and does nothing. Line: all that may be.",
        "none",
        s.query(f"sum by (state) (pg_stat_activity_count{{{_DATABASE}}}) > 0", "{{state}}", "A"),
        s.query(f"max(pg_settings_max_connections{{{_ENV}}})", "limit", "B"),
        empty="Not asked",
    )
    work = s.series(
        "Transactions",
        "Transactions per second that were committed and rolled back, and deadlocks.",
        "ops",
        s.query(f"sum(rate(pg_stat_database_xact_commit{{{_DATABASE}}}{_R}))", "committed", "A"),
        s.query(f"sum(rate(pg_stat_database_xact_rollback{{{_DATABASE}}}{_R}))", "rolled back", "B"),
        s.query(f"sum(rate(pg_stat_database_deadlocks{{{_DATABASE}}}{_R}))", "deadlocks", "C"),
        empty="Not asked",
    )
    hit = f"sum(rate(pg_stat_database_blks_hit{{{_DATABASE}}}{_R}))"
    cached = s.series(
        "Read from memory",
        "Share of the blocks that were in PostgreSQL's memory already. Line: below 95 % a busy database waits for its disk.",
        "percentunit",
        s.query(f"{hit} / ({hit} + sum(rate(pg_stat_database_blks_read{{{_DATABASE}}}{_R})) > 0)", "in memory"),
        empty="Nothing read",
    ).max(1)
    longest = s.series(
        "Longest transaction",
        "How long the longest transaction has been open, by what its connection does. Long ones keep rows from being cleaned up.",
        "s",
        s.query(f"max by (state) (pg_stat_activity_max_tx_duration{{{_DATABASE}}})", "{{state}}"),
        empty="Not asked",
    )
    queries = s.series(
        "Queries, as the app sees them",
        "95 % of the app's queries are answered within this time, by operation. Line: the limit for a slow query, 200 ms.",
        "s",
        s.query(
            f"histogram_quantile(0.95, sum by (le, operation) (rate(db_query_duration_seconds_bucket{{{_ENV}}}{_R}))) >= 0", "{{operation}}"
        ),
        empty="No queries",
    ).data_links([s.logs_link("Slow queries", 'event:"db.query.slow"')])
    failed = s.series(
        "Failures, as the app sees them",
        "Queries per second that failed or were cancelled, and times that no connection could be had.",
        "ops",
        s.query(f'sum by (outcome) (rate(db_queries_total{{{_ENV}, outcome!="success"}}{_R}))', "{{outcome}}", "A"),
        s.query(f"sum by (reason) (rate(db_connection_failures_total{{{_ENV}}}{_R}))", "no connection: {{reason}}", "B"),
        empty="No queries",
    ).data_links([s.logs_link("Records", 'event:"db.query.failed"')])
    size = s.series(
        "Size",
        "Size of the database on disk.",
        "bytes",
        s.query(f"sum by (datname) (pg_database_size_bytes{{{_DATABASE}}})", "{{datname}}"),
        empty="Not asked",
    )
    pool = s.series(
        "Pool, as the app sees it",
        "Connections of the app's pool by state. When none is free, requests wait.",
        "none",
        s.query(f"sum by (state) (db_pool_connections{{{_ENV}}})", "{{state}}"),
        empty="No pool",
    )
    return [
        ceiling(s.colours(connections, {"active": "blue", "idle": "light-blue", "idle in transaction": "orange"}), "limit"),
        s.colours(work, {"committed": "blue", "rolled back": "orange", "deadlocks": "red"}),
        s.lines(s.colours(cached, {"in memory": "blue"}), (0.95, s.NEAR)).span(8),
        longest.span(8),
        size.span(8),
        s.lines(queries, (0.2, s.NEAR)).span(8),
        failed.span(8),
        s.stacked(pool).span(8),
    ]


def _redis() -> list[s.Panel]:
    commands = s.series(
        "Commands",
        "Commands that Redis executed per second.",
        "ops",
        s.query(f"sum(rate(redis_commands_processed_total{{{_ENV}}}{_R}))", "commands"),
        empty="Not asked",
    )
    memory = s.series(
        "Memory of Redis",
        "Memory of its data, and its bound.",
        "bytes",
        s.query(f"sum(redis_memory_used_bytes{{{_ENV}}})", "used", "A"),
        s.query(f"sum(redis_memory_max_bytes{{{_ENV}}})", "bound", "B"),
        empty="Not asked",
    )
    keys = s.series(
        "Keys that went",
        "Keys per second whose time was over, and keys that were pushed out for lack of memory.",
        "ops",
        s.query(f"sum(rate(redis_expired_keys_total{{{_ENV}}}{_R}))", "time over", "A"),
        s.query(f"sum(rate(redis_evicted_keys_total{{{_ENV}}}{_R}))", "pushed out", "B"),
        empty="Not asked",
    )
    cache = s.series(
        "Cache of the feed, as the app sees it",
        "Lookups per second: found, not found, and those that Redis did not answer.",
        "ops",
        s.query(f"sum by (outcome) (rate(cache_lookups_total{{{_ENV}}}{_R}))", "{{outcome}}"),
        empty="No lookups",
    )
    return [
        panel.span(6)
        for panel in (
            s.colours(commands, {"commands": "blue"}),
            ceiling(s.colours(memory, {"used": "blue"}), "bound"),
            s.colours(keys, {"time over": "blue", "pushed out": "red"}),
            s.stacked(s.colours(cache, {"hit": "blue", "miss": "light-blue", "error": "red"})),
        )
    ]
