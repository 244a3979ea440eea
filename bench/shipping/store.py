"""A private Elasticsearch, started by the stack's own runner in a folder of its own, with the stack's index templates."""

import datetime as dt
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil
from elasticsearch import Elasticsearch
from rich.console import Console

from app.core.ports import PORTS
from app.stack.down import down
from app.stack.environment import base_environment
from app.stack.listeners import is_free
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack, open_stack
from app.stack.supervisor import Supervisor
from app.stack.up import up
from bench.peers import environment, python
from bench.shipping.lines import LOGGER

PREFIX: Final = "logs-bench"
QUIET_SHARE: Final = 0.3
"""Of one core: below it Elasticsearch has done with what the last shipper left behind."""

QUIET_SECONDS: Final = 30.0
"""Longest wait for that."""


class Store:
    """Elasticsearch for as long as the block lasts."""

    def __init__(self, say: Console, running: Stack | None = None) -> None:
        """A server of its own; or `running`, a stack that somebody else starts and stops."""
        self._say: Final = say
        self._running: Final = running
        self.folder: Final = Path(tempfile.mkdtemp(prefix="nobet-bench-"))
        self._stack: Final = running or self._open()
        self.url: Final = self._stack.url("elasticsearch")

    def __enter__(self) -> Self:
        try:
            if self._running is None:
                self._say.print("Starting a private Elasticsearch (half a minute; minutes where it must be fetched first) …")
                up(self._stack, Console(quiet=True), ("elasticsearch",))
            self._set_up()
            self._admin = Elasticsearch(self.url, basic_auth=("nobet_admin", self.password("admin")), request_timeout=60)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._running is None:
            down(self._stack, Console(quiet=True))
        elif error is None:
            self.clear()
        if error is None:
            self._admin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _set_up(self) -> None:
        """The stack's own index templates, for the bench's prefix."""
        variables = {
            "ELASTICSEARCH_URL": self.url,
            "ELASTICSEARCH_ADMIN_PASSWORD": self.password("admin"),
            "LOG_INDEX_PREFIX": PREFIX,
        }
        done = subprocess.run(
            [python(), "-m", "app.shipper", "setup"],
            env=environment(**variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise RuntimeError(f"Setting up Elasticsearch failed: {done.stderr.strip()[-300:]}")

    @property
    def port(self) -> int:
        """Where it listens, on this machine only."""
        return self._stack.port("elasticsearch")

    @property
    def index(self) -> str:
        """The index of today's records."""
        return f"{PREFIX}-{dt.datetime.now(dt.UTC):%Y.%m.%d}"

    @property
    def pid(self) -> int:
        """The process that was started."""
        return Supervisor(self._stack.paths).processes()["elasticsearch"].pid

    def password(self, user: str) -> str:
        """The password of nobet_<user>."""
        return self._stack.secret(f"ELASTICSEARCH_{user.upper()}_PASSWORD")

    def version(self) -> str:
        """The server's version."""
        return str(self._admin.nodes.info(filter_path="nodes.*.version").body["nodes"].popitem()[1]["version"])

    def clear(self) -> None:
        """Remove what was indexed, and wait until the server is idle."""
        names = list(self._admin.indices.get(index=f"{PREFIX}-*", features="settings", ignore_unavailable=True).body)
        if names:
            self._admin.indices.delete(index=names)
        java = [process for process in _family(self.pid) if "java" in process.name()]
        deadline = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < deadline:
            before = _cpu(java)
            time.sleep(0.5)
            if _cpu(java) - before < QUIET_SHARE * 0.5:
                return

    def written(self) -> int:
        """Documents taken so far, by the server's own counter: no search has to see them yet."""
        stats: Any = self._admin.indices.stats(
            index=f"{PREFIX}-*", metric="indexing", filter_path="_all.primaries.indexing.index_total"
        ).body
        return int(stats["_all"]["primaries"]["indexing"]["index_total"]) if stats.get("_all", {}).get("primaries") else 0

    def count(self) -> int:
        """The bench's lines that can be searched for, each counted as often as it is there."""
        self._admin.indices.refresh(index=f"{PREFIX}-*", ignore_unavailable=True, allow_no_indices=True)
        found = self._admin.count(index=f"{PREFIX}-*", query={"term": {"logger": LOGGER}}, allow_no_indices=True)
        return int(found["count"])

    def _open(self) -> Stack:
        variables = {
            "STACK_DIR": str(self.folder / "stack"),
            "STACK_CACHE_DIR": os.environ.get("STACK_CACHE_DIR") or str(CHECKOUT / ".stack" / "cache"),
            "STACK_PORT_OFFSET": str(_free_offset()),
        }
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update({**base_environment(), **variables})
            return open_stack(dict(os.environ))
        finally:
            os.environ.clear()
            os.environ.update(before)


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _free_offset() -> int:
    wanted = [PORTS[name] for name in ("elasticsearch", "elasticsearch_transport", "shipper")]
    dice = random.Random()  # noqa: S311 (a port)
    return next(offset for offset in iter(lambda: dice.randrange(11_000, 39_000, 7), 0) if all(is_free(one + offset) for one in wanted))
