"""A small real stack with something in every store, the `nobet` command against it, and what its stores hold in comparable form."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import httpx

from app.stack.components import COMPONENTS
from tests.support.processes import CHECKOUT, bare_environment
from tests.support.servers import Postgres
from tests.support.stack import RunningStack, new_stack
from tests.support.waiting import wait_until

COMMAND_SECONDS: Final = 300

_MIGRATE: Final = """
import asyncio, os
from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, String, insert
from app.oncall.store import Store
from app.oncall.tables import INCIDENTS

async def oncall():
    store = Store(os.environ["DATABASE_URL"])
    await store.migrate()
    values = {c.name: "x" if isinstance(c.type, String) else {} if isinstance(c.type, JSON) else 1 for c in INCIDENTS.c}
    async with store.transaction() as connection:
        await connection.execute(insert(INCIDENTS).values(values))

command.upgrade(Config("alembic.ini"), "head")
asyncio.run(oncall())
"""
"""The tables of the app and of on-call, and an incident, without their processes."""

DAYS: Final = ("2026.11.19", "2026.11.20")
PER_DAY: Final = 600


class BackedUp:
    """One stack, and the commands of its owner."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack: Final = stack

    def nobet(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, with nothing but what a shell would have."""
        return subprocess.run(self.command(*arguments), env=self.environment(**environment), capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, check=False)  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        """The command as a list."""
        return [sys.executable, "-m", "app.cli", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """Where the stack is; secrets come from its `.env`."""
        own = self.stack.environment
        secrets = {name for name in own if name.endswith(("_PASSWORD", "_TOKEN", "_KEY"))}
        return {**{name: value for name, value in own.items() if name not in secrets}, **more}

    # --- Elasticsearch

    @property
    def search(self) -> httpx.Client:
        """Requests as the administrator."""
        return httpx.Client(base_url=self.stack.url("elasticsearch"), auth=self.stack.sign_in(), timeout=60)

    def add_documents(self, index: str, first: int, count: int) -> None:
        """Put numbered documents, odd characters among them, into an index."""
        lines = []
        for number in range(first, first + count):
            lines.append(json.dumps({"create": {"_id": f"{index}-{number}"}}))
            source = {"timestamp": "2026-11-19T00:00:00.000001Z", "message": f'ışık "{number}" \\ \n\u2028', "n": number / 3, "big": 2**62}
            lines.append(json.dumps(source))
        with self.search as client:
            body = ("\n".join(lines) + "\n").encode()
            answer = client.post(f"/{index}/_bulk", content=body, headers={"content-type": "application/x-ndjson"})
            assert not answer.raise_for_status().json()["errors"], answer.text[:500]

    def indices(self) -> dict[str, tuple[int, str, Any]]:
        """Index → number of documents, a checksum of ids and sources, mappings."""
        with self.search as client:
            client.post("/_refresh").raise_for_status()
            found = client.get("/*", params={"expand_wildcards": "open"}).raise_for_status().json()
            return {name: (*self._checksum(client, name), described["mappings"]) for name, described in found.items()}

    def _checksum(self, client: httpx.Client, index: str) -> tuple[int, str]:
        hits = client.get(f"/{index}/_search", params={"size": 10000}).raise_for_status().json()["hits"]["hits"]
        documents = sorted(json.dumps([hit["_id"], hit["_source"]], sort_keys=True) for hit in hits)
        return len(documents), hashlib.sha256("\n".join(documents).encode()).hexdigest()

    # --- PostgreSQL

    @property
    def postgres(self) -> Postgres:
        """The database."""
        return Postgres(self.stack)

    def rows(self) -> dict[str, str]:
        """Table → a checksum of its rows, which counts them, too."""
        postgres = self.postgres
        names = postgres.ask("SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'").split(",")
        statement = "SELECT count(*) || ':' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
        return {name: postgres.ask(statement.format(name)) for name in names}

    # --- error tracker

    def errors(self) -> list[str]:
        """Everything in the error tracker's database."""
        with contextlib.closing(sqlite3.connect(self.stack.declared.paths.data / "error_tracker" / "bugsink.sqlite3")) as connection:
            return list(connection.iterdump())

    # --- Prometheus

    def samples(self, at: float) -> dict[str, Any]:
        """Series and samples of the time before `at`, as Prometheus counts them."""
        return {
            query: self.ask(query, at)
            for query in ("count({job=~'.+'})", "sum(count_over_time(up[1h]))", "sum(sum_over_time(prometheus_tsdb_head_series[1h]))")
        }

    def ask(self, query: str, at: float) -> str:
        """The one value of an instant query; nothing when there is none."""
        answer = httpx.get(f"{self.stack.url('prometheus')}/api/v1/query", params={"query": query, "time": at}, timeout=30)
        result = answer.raise_for_status().json()["data"]["result"]
        return str(result[0]["value"][1]) if result else ""


def filled_stack() -> BackedUp:
    """A new stack with rows, documents, samples, an incident, an error event and an undelivered record. Call `.stack.close()`."""
    stack = new_stack()
    owner = BackedUp(stack)
    try:
        stack.need("postgres", "elasticsearch", "prometheus", "error_tracker")
        url = stack.expand(COMPONENTS["app"].env["DATABASE_URL"])
        command = [sys.executable, "-c", _MIGRATE]
        migrated = subprocess.run(
            command, cwd=CHECKOUT, env=bare_environment(DATABASE_URL=url), capture_output=True, text=True, check=False, timeout=120
        )
        assert migrated.returncode == 0, migrated.stderr
        fill(owner)
    except BaseException:
        stack.close()
        raise
    return owner


def fill(owner: BackedUp) -> None:
    """Something in every store."""
    stack = owner.stack
    for day in DAYS:
        owner.add_documents(f"logs-nobet-{day}", 0, PER_DAY)
    with owner.search as client:
        client.put("/events-nobet-2026.11.20", json={"mappings": {"properties": {"kind": {"type": "keyword"}}}}).raise_for_status()
    owner.postgres.ask(
        "INSERT INTO posts (author_id, title, body, created_at) "
        "SELECT 'u', 'ışık ' || n, repeat('x', n), now() FROM generate_series(1, 300) n RETURNING 1"
    )
    (stack.spool / "undelivered.txt").write_text("kept as it is\n")
    wait_until("samples in Prometheus", lambda: owner.ask("sum(count_over_time(up[1m]))", time.time()) not in ("", "0"), 60)


def sealed_files(backup: Path) -> list[Path]:
    """All files of a backup but its manifest."""
    return sorted(path for path in backup.rglob("*.age"))
