"""Databases and stores that stop, freeze or can't be written."""

import secrets
from typing import Final

from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected

_RED: Final = "drill-red"
_NOWHERE: Final = {"settings": {"index.routing.allocation.require._name": "nobody", "number_of_replicas": 0}}
_FLOODED: Final = "drill-flooded"


def red_index(arena: Arena) -> None:
    """An index whose shard has no place."""
    arena.hands.elasticsearch("PUT", f"{_RED}?wait_for_active_shards=0&timeout=1s", _NOWHERE, undo=("DELETE", _RED, None))


def _postgres(arena: Arena) -> None:
    arena.hands.stop("postgres")


def _frozen(arena: Arena) -> None:
    arena.hands.pause("elasticsearch")


def _wrong_redis(arena: Arena) -> None:
    arena.hands.reconfigure("app", REDIS_URL=f"redis://:nobody@127.0.0.1:{arena.stack.port('blackbox')}/0")


def _small_queue(arena: Arena) -> None:
    path = arena.stack.paths.etc / "elasticsearch" / "elasticsearch.yml"
    arena.hands.restart_after_undo("elasticsearch")
    arena.hands.write(path, f"{path.read_text('utf-8')}\nthread_pool.write.queue_size: 1\n")
    arena.hands.restart("elasticsearch")
    arena.hands.elasticsearch("PUT", _FLOODED, None, undo=("DELETE", _FLOODED, None))
    lines = "".join(f'{{"create":{{}}}}\n{{"text":"{secrets.token_hex(200)}"}}\n' for _ in range(500))
    arena.repeat(lambda: arena.hands.bulk(_FLOODED, lines), 0.05, threads=24)


STORES: Final = (
    Drill(
        "red",
        "an index that no node may hold, and a page about it that nobody answers",
        red_index,
        (Expected("ElasticsearchRed", "critical"), Expected("OncallUnacknowledged", "critical", "direct")),
        acknowledge=False,
        together="calm",
    ),
    Drill(
        "redis",
        "Redis is stopped",
        lambda arena: arena.hands.stop("redis"),
        (Expected("RedisDown", "critical"), Expected("DependencyDown", "critical", "held", {"dependency": "redis"})),
    ),
    Drill(
        "wrong-redis",
        "the app is started with a wrong address of Redis",
        _wrong_redis,
        (Expected("DependencyDown", "critical", labels={"dependency": "redis", "service": "app"}),),
        together="restarts",
    ),
    Drill(
        "elasticsearch",
        "Elasticsearch is frozen (SIGSTOP)",
        _frozen,
        (
            Expected("ElasticsearchDown", "critical"),
            Expected("EndpointDown", "critical", "held", {"service": "elasticsearch"}),
            Expected("LogShippingStalled", "critical", "held"),
        ),
    ),
    Drill(
        "postgres",
        "PostgreSQL, in which the on-call service keeps its incidents, is stopped",
        _postgres,
        (Expected("PostgresDown", "critical", "direct"), Expected("DependencyDown", "critical", "held", {"dependency": "database"})),
    ),
    Drill(
        "rejecting",
        "Elasticsearch gets a queue of one write, and 24 writers at once",
        _small_queue,
        (Expected("ElasticsearchRejecting", "warning"),),
    ),
)
