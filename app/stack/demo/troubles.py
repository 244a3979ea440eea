"""What goes wrong in a demonstration, and how it is put right again: knobs, a locked table, a deployment."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import httpx

from app.core.config import Settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.ports import LOOPBACK

LOCKED_TABLE: Final = "posts"
PAUSE_SECONDS: Final = 12.0
"""Between two locks, so that what waited gets its turn."""

GRACE_SECONDS: Final = 5
"""The server itself ends the lock this long after its time, should nobody be left to release it."""

LOCK_WAIT: Final = "3s"

log = get_logger("nobet.demo")


class VoiceKnobs:
    """Turns the knobs of the voice service and puts them back."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Final = client
        self._before: dict[str, Any] | None = None

    async def remember(self) -> str | None:
        """Note how the service behaves now. The reason why it can't be steered, or None."""
        try:
            response = await self._client.get("/admin/knobs")
        except httpx.TransportError:
            return "the voice service isn't up"
        if not response.is_success:
            return f"the voice service doesn't let its knobs be turned (status {response.status_code})"
        self._before = response.json()
        return None

    @property
    def steerable(self) -> bool:
        """Whether `remember` succeeded."""
        return self._before is not None

    async def turn(self, knobs: Mapping[str, Any]) -> None:
        """Turn some; a service that is gone is no reason to stop."""
        with suppress(httpx.TransportError):
            await self._client.patch("/admin/knobs", json=dict(knobs))

    async def restore(self) -> None:
        """As it was at `remember`."""
        if self._before is not None:
            await self.turn(self._before)


class DatabaseLock:
    """Holds a lock on a table for some seconds, as a careless migration does. Nothing is changed."""

    def __init__(self, settings: Settings) -> None:
        self._url: Final = settings.database_url.get_secret_value().replace("postgresql+asyncpg://", "postgresql://", 1)
        self._is_trial: Final = settings.is_trial

    @property
    def refusal(self) -> str | None:
        """Why the database must not or can't be locked, or None."""
        parts = urlsplit(self._url)
        if not self._is_trial:
            return "a table is only locked where ENVIRONMENT is development or test"
        if parts.scheme != "postgresql":
            return "the database of this stack is no PostgreSQL that can be reached from here"
        return None if parts.hostname in (LOOPBACK, "localhost", "::1") else "the database is not on this machine"

    async def hold(self, seconds: float, stop: asyncio.Event) -> str | None:
        """Lock the table until the time is up or `stop` is set. The reason why it did not work, or None.

        The lock goes with the transaction, and the transaction with the connection; when this process is killed,
        the server closes it by itself.
        """
        if self.refusal:
            return self.refusal
        try:
            connection = await asyncpg.connect(self._url, timeout=5, command_timeout=10)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            return f"the database can't be reached ({type(error).__name__})"
        try:
            limit = int((seconds + GRACE_SECONDS) * 1000)
            await connection.execute(f"SET idle_in_transaction_session_timeout = {limit}")
            await connection.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {LOCKED_TABLE} IN ACCESS EXCLUSIVE MODE")
                await pause(stop, seconds)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"the table could not be locked ({type(error).__name__})"
        finally:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=2)
        return None


class DeploymentMarks:
    """Writes into the log that a version was deployed, so that dashboards can draw a line there."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings

    def mark(self, version: str, reason: str) -> bool:
        """One record `app.deployed`. False where this process has no way to the spool (with Compose it is in a volume)."""
        folder = self._settings.spool_dir
        if folder is None or not (folder / ".shipper").is_dir():
            return False
        setup_logging(self._settings.model_copy(update={"log_stdout": False, "service_name": "demo"}), "demo")
        try:
            log.info("A version was deployed", event="app.deployed", version=version, reason=reason, component="app")
        finally:
            shutdown_logging()
        return True


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the end."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
