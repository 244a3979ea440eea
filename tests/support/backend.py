"""The backend inside the test's own process: real middleware, routes and SQLite, its records read from its spool."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.api.deps import Resources
from app.clients.voice import VoiceClient
from app.core.config import Settings, load_settings
from app.domain.tokens import issue
from app.main import create_app
from tests.support.records import spooled

Answer = Callable[[httpx.Request], httpx.Response]


def sample(exposition: str, name: str, **labels: str) -> float:
    """The value of one series in the text that /metrics serves; 0 when there is none."""
    for family in text_string_to_metric_families(exposition):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return found.value
    return 0.0


@dataclasses.dataclass
class Backend:
    """The running application, and what it left behind."""

    app: FastAPI
    http: httpx.AsyncClient
    spool: Path

    @property
    def resources(self) -> Resources:
        """Its clients."""
        found: Resources = self.app.state.resources
        return found

    def records(self, request_id: str = "") -> list[dict[str, Any]]:
        """Its records so far; those of one request when its id is given. Tracebacks are left out."""
        found = [record for record in spooled(self.spool) if record.get("event") not in ("error.traceback", "http.access")]
        return [record for record in found if record.get("request_id") == request_id] if request_id else found

    def events(self, request_id: str) -> list[str]:
        """The events of one request, in order."""
        return [str(record.get("event")) for record in self.records(request_id)]

    def record(self, request_id: str, event: str) -> dict[str, Any]:
        """The one record of an event of a request."""
        (found,) = [record for record in self.records(request_id) if record.get("event") == event]
        return found

    async def sign_in(self, name: str = "ayse", role: str = "user") -> dict[str, str]:
        """Headers of a signed-in user whose id is `name`. Nobody registers: see `tests.support.users` for real accounts."""
        return {"Authorization": f"Bearer {issue(self.resources.settings, name, role)}"}

    async def metric(self, name: str, **labels: str) -> float:
        """The value of one series now."""
        return sample((await self.http.get("/metrics")).text, name, **labels)

    async def sql(self, statement: str) -> None:
        """Do something to its database."""
        async with self.resources.database.session() as session:
            await session.execute(text(statement))

    def voice_answers(self, answer: Answer) -> Self:
        """Put a stub in the place of the suggestion service."""
        settings = self.resources.settings.model_copy(update={"voice_url": "http://voice.test"})
        voice = VoiceClient(settings, httpx.MockTransport(answer))
        self.app.state.resources = dataclasses.replace(self.resources, voice=voice)
        return self


@asynccontextmanager
async def running_backend(folder: Path, **overrides: Any) -> AsyncIterator[Backend]:
    """Start the application with its lifespan over an empty SQLite database in `folder`."""
    async with serving(settings_for(folder, **overrides), create_app) as (app, http):
        yield Backend(app, http, folder / "spool")


def settings_for(folder: Path, **overrides: Any) -> Settings:
    """Settings that depend on nothing outside of `folder`, neither on the environment's `.env`."""
    defaults: dict[str, Any] = {
        "environment": "test",
        "log_level": "DEBUG",
        "log_stdout": False,
        "spool_dir": folder / "spool",
        "database_url": f"sqlite+aiosqlite:///{folder / 'test.db'}",
        "voice_url": "",
        "health_cache_seconds": 0,
        # What a busy or full machine does to single queries and checks is no matter of most tests.
        "database_slow_query_ms": 60_000,
        "health_disk_percent": 100,
        "health_memory_percent": 100,
    }
    return load_settings(_env_file=None, **(defaults | overrides))


@asynccontextmanager
async def serving(settings: Settings, factory: Callable[[Settings], FastAPI]) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """An application with its lifespan, and a client for it."""
    app = factory(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend.test") as http:
            yield app, http
