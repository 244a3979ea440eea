"""Starts all variants, gives them turns in rounds, and keeps what each turn took."""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.load.servers import ErrorSink
from bench.machine import facts, versions
from bench.peers import python
from bench.request_path.client import AnswerError, Client
from bench.request_path.server import DidNotStartError, Server
from bench.request_path.variants import BARE, VARIANTS, Variant
from bench.rounds import turns
from bench.stats import ratios, spread

ENDPOINTS: Final = {"ping": "/ping", "feed": "/feed?limit=20"}
WARM_UP: Final = 400
"""Requests to each endpoint before anything counts: caches of routes, label children, adaptive bytecode."""

SETTLE_SECONDS: Final = 0.05
"""Pause before figures are read: a request's record is written after its answer, and threads have a little left to do."""

LATE_SECONDS: Final = 2.0
"""Longest wait for records that a busy machine delays; those that never come show in the table."""

PACKAGES: Final = (
    "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "prometheus-client", "orjson", "structlog", "asgi-correlation-id",
    "prometheus-fastapi-instrumentator", "starlette-exporter", "python-json-logger", "loguru", "sentry-sdk",
    "opentelemetry-sdk", "opentelemetry-instrumentation-fastapi",
)  # fmt: skip


def measure(names: list[str], *, rounds: int, requests: int, seed: int, say: Console) -> dict[str, Any]:
    """Measure these variants; those that do not start are named in `missing` with the reason. Raises RuntimeError without bare FastAPI."""
    machine = facts()
    wanted = [variant for variant in VARIANTS if variant.name in names or variant.name == BARE]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nobet-bench-")))
        sink = ErrorSink()
        stack.callback(sink.close)
        addresses = {"dsn": sink.dsn, "otlp": "http://" + sink.dsn.partition("@")[2].rpartition("/")[0]}
        servers, missing = _start(wanted, folder, addresses, stack, say)
        if BARE not in servers:
            raise RuntimeError(f"Bare FastAPI does not start, so there is nothing to compare with: {missing[BARE]}. Try: make venv")
        rows, memory = asyncio.run(_run(servers, rounds, requests, seed, missing, say))
    return {
        "machine": machine,
        "versions": versions(*PACKAGES, python=python()),
        "settings": {"rounds": rounds, "requests_a_turn": requests, "seed": seed},
        "missing": missing,
        "runs": rows,
        "memory_mib": memory,
        "summary": summarise(rows),
    }


def _start(
    wanted: list[Variant], folder: Path, addresses: dict[str, str], stack: ExitStack, say: Console
) -> tuple[dict[str, Server], dict[str, str]]:
    servers, missing = {}, {}
    say.print(f"Starting {len(wanted)} applications …")
    for variant in wanted:
        try:
            server = Server(variant, folder / variant.name, addresses)
        except DidNotStartError as error:
            missing[variant.name] = str(error)
            say.print(f"  left out: {variant.title}: {error}")
            continue
        stack.callback(server.stop)
        servers[variant.name] = server
    return servers, missing


async def _run(
    servers: dict[str, Server], rounds: int, requests: int, seed: int, missing: dict[str, str], say: Console
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    clients = {name: Client(server.port) for name, server in servers.items()}
    rows: list[dict[str, Any]] = []
    try:
        for name, client in clients.items():
            for endpoint in ENDPOINTS:
                await client.get(ENDPOINTS[endpoint], WARM_UP)
            servers[name].records()
        for number, name in turns(list(servers), rounds, seed, say):
            if name in missing:
                continue
            try:
                rows += [await _turn(servers[name], clients[name], endpoint, number, requests) for endpoint in ENDPOINTS]
            except (AnswerError, OSError) as error:
                missing[name] = f"it failed in round {number + 1}: {error}"
                say.print(f"  left out from here on: {servers[name].variant.title}: {missing[name]}")
    finally:
        memory = {name: round(server.resident_mib(), 1) for name, server in servers.items()}
        for client in clients.values():
            client.close()
    return rows, memory


async def _turn(server: Server, client: Client, endpoint: str, number: int, requests: int) -> dict[str, Any]:
    expected = server.variant.ping_records if endpoint == "ping" else server.variant.feed_records
    before = server.cpu_seconds()
    sent = await client.get(ENDPOINTS[endpoint], requests)
    await asyncio.sleep(SETTLE_SECONDS)
    records = server.records()
    deadline = time.monotonic() + LATE_SECONDS
    while records < expected * sent and time.monotonic() < deadline:
        await asyncio.sleep(SETTLE_SECONDS)
        records += server.records()
    return {
        "variant": server.variant.name,
        "endpoint": endpoint,
        "round": number,
        "requests": sent,
        "cpu_us": round((server.cpu_seconds() - before) / sent * 1e6, 3),
        "records": records,
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each variant and endpoint: microseconds of CPU a request, and the ratio to bare of the same round."""
    figures: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        figures.setdefault((row["variant"], row["endpoint"]), {})[row["round"]] = row["cpu_us"]
    found: dict[str, dict[str, Any]] = {}
    for (name, endpoint), by_round in figures.items():
        bare = figures[BARE, endpoint]
        added = [value - bare[number] for number, value in by_round.items() if number in bare]
        last = [row for row in rows if (row["variant"], row["endpoint"]) == (name, endpoint)]
        found.setdefault(name, {})[endpoint] = {
            "cpu_us": spread(list(by_round.values())).as_dict(),
            "added_us": spread(added).as_dict(),
            "ratio": ratios(by_round, bare).as_dict(),
            "records_a_request": round(sum(row["records"] for row in last) / sum(row["requests"] for row in last), 3),
        }
    return found
