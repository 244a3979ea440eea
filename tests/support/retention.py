"""Daily indices of chosen ages in a real Elasticsearch, cleanups over them, and the oracle that no document is lost."""

import datetime as dt
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final

import httpx
import pyrage

from app.cleanup.runs import CleanupRuns, archive_of
from app.clients.cleanup_state import INDEX, CleanupLease
from app.core.archive import Archive
from app.core.config import Settings, load_settings
from tests.support.processes import bare_environment
from tests.support.stack import RunningStack

RUN_SECONDS: Final = 120
GOING_SECONDS: Final = 30


class Retention:
    """Indices of one test's own prefix, and an archive folder of its own."""

    def __init__(self, stack: RunningStack, folder: Path, *, user: str = "cleanup", **overrides: Any) -> None:
        """`overrides` are settings; `user` is the Elasticsearch user that the cleanup signs in as."""
        self.stack: Final = stack
        self.name: Final = f"c{uuid.uuid4().hex[:10]}"
        self.prefix: Final = f"logs-{self.name}"
        self.folder: Final = folder / "archive"
        self.spool: Final = folder / "spool"
        self.values: Final[dict[str, Any]] = {
            "elasticsearch_url": stack.url("elasticsearch"),
            "elasticsearch_cleanup_password": stack.secret(f"ELASTICSEARCH_{user.upper()}_PASSWORD"),
            "elasticsearch_admin_password": stack.secret("ELASTICSEARCH_ADMIN_PASSWORD"),
            "log_index_prefix": self.prefix,
            "log_archive_dir": str(self.folder),
            "log_archive_identity": str(pyrage.x25519.Identity.generate()),
            "spool_dir": str(self.spool),
            "log_stdout": False,
            "environment": "test",
            "stack_port_offset": stack.declared.offset,
            **overrides,
        }
        self._http: Final = httpx.Client(base_url=stack.url("elasticsearch"), auth=stack.sign_in(), timeout=60)
        self.forget()

    @property
    def settings(self) -> Settings:
        """What a cleanup of this test gets."""
        return load_settings(_env_file=None, **self.values)

    @property
    def archive(self) -> Archive:
        """The archives of this test."""
        return archive_of(self.settings)

    @property
    def runs(self) -> CleanupRuns:
        """Runs in this process."""
        return CleanupRuns(self.settings)

    def lease(self, ahead: float = 0.0) -> CleanupLease:
        """The lease, as another process, whose clock shows `ahead` seconds more."""
        settings = self.settings
        password = settings.elasticsearch_cleanup_password.get_secret_value()
        return CleanupLease(settings.elasticsearch_url, ("nobet_cleanup", password), "elsewhere:1", clock=lambda: time.time() + ahead)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the process to its end."""
        return subprocess.run(
            [sys.executable, "-m", "app.cleanup", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
            cwd="/",
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the process."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.cleanup", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a cleanup process is told."""
        return bare_environment(
            **{name.upper(): str(value).lower() if isinstance(value, bool) else str(value) for name, value in self.values.items()}
        )

    # --- indices

    def index_of(self, days_ago: int, prefix: str = "") -> str:
        """The name of the daily index of so many days ago."""
        day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days_ago)
        return f"{prefix or self.prefix}-{day:%Y.%m.%d}"

    def fill(self, name: str, count: int = 3) -> str:
        """Make an index with some documents, odd ones among them; returns its name."""
        lines = []
        for number in range(count):
            lines.append(json.dumps({"create": {"_id": f"{name}-{number}"}}))
            lines.append(
                json.dumps(
                    {
                        "timestamp": "2026-01-01T00:00:00.000001Z",
                        "message": f'ışık "{number}" \\ \n',
                        "n": number / 3,
                        "big": 2**62 + number,
                    }
                )
            )
        body = "\n".join(lines) + "\n"
        self._http.put(f"/{name}").raise_for_status()
        answer = self._http.post(f"/{name}/_bulk?refresh=true", content=body.encode(), headers={"content-type": "application/x-ndjson"})
        assert not answer.raise_for_status().json()["errors"], answer.text
        return name

    def documents(self, name: str) -> dict[str, Any]:
        """The documents of an index by their ids."""
        found = self._http.get(f"/{name}/_search", params={"size": 10000}).raise_for_status().json()
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}

    def indices(self) -> set[str]:
        """The names of all indices that contain this test's name."""
        return set(self._http.get(f"/*{self.name}*", params={"expand_wildcards": "all"}).raise_for_status().json())

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Any request to Elasticsearch, as the administrator."""
        return self._http.request(method, path, **options).raise_for_status().json()

    # --- the oracle

    def archived(self, name: str) -> dict[str, Any]:
        """The documents of an index as its archive has them; raises ArchiveError when it can't be believed."""
        documents: dict[str, Any] = {}

        def take(line: bytes) -> None:
            document = json.loads(line)
            documents[document["_id"]] = document["_source"]

        (manifest,) = self.archive.find(name)
        self.archive.check(manifest, take)
        return documents

    def assert_nothing_is_lost(self, expected: dict[str, dict[str, Any]]) -> None:
        """Every index of `expected` is there with all of its documents, or its archive has all of them."""
        for name, documents in expected.items():
            assert self._found(name) == documents, name

    def _found(self, name: str) -> dict[str, Any]:
        """What an index has, or its archive. A deletion that was asked for before its asker was killed may end between two looks."""
        patience = time.monotonic() + GOING_SECONDS
        while name in self.indices():
            try:
                return self.documents(name)
            except httpx.HTTPStatusError as error:
                # While it goes its shard is gone (503) before its name is (404).
                if (
                    error.response.status_code not in (httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE)
                    or time.monotonic() > patience
                ):
                    raise
        return self.archived(name)

    # --- afterwards

    def forget(self) -> None:
        """Forget earlier runs and nights."""
        self._http.delete(f"/{INDEX}")

    def close(self) -> None:
        """Remove what the test made."""
        for name in self.indices():
            self._http.delete(f"/{name}")
        self.forget()
        self._http.close()
