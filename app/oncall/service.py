"""The parts of the on-call service put together, and the clocks that drive them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from app.core import context
from app.core.config import ConfigError, Settings
from app.core.logger import get_logger
from app.oncall.actions import Actions
from app.oncall.channels import make_channels
from app.oncall.channels.sender import Sender
from app.oncall.delivery import Deliverer
from app.oncall.escalation import Escalator
from app.oncall.intake import Intake
from app.oncall.links import Links
from app.oncall.overview import Overview
from app.oncall.policy import Policy, PolicyError, default_policy, load_policy
from app.oncall.store import Store
from app.oncall.watch import Watch

TICK_SECONDS: Final = 1.0
SLOW_TICK_SECONDS: Final = 5.0
STOP_SECONDS: Final = 15.0
"""A stopping process lets a message that is being sent arrive."""

log = get_logger(__name__)


class Service:
    """One replica."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError when the policy can't be used."""
        self.settings: Final = settings
        self.clock: Final = clock
        self.policy: Final = policy_of(settings)
        self.store: Final = Store((settings.oncall_database_url or settings.database_url).get_secret_value())
        self.links: Final = Links(settings.oncall_public_url, settings.oncall_link_key)
        self.sender: Final = Sender()
        self.intake: Final = Intake(self.store, self.policy)
        self.actions: Final = Actions(self.store, clock)
        self.overview: Final = Overview(self.store, self.policy)
        self.watch: Final = Watch(settings, self.store, self.intake, clock)
        self.escalator: Final = Escalator(self.store, self.policy, clock)
        self.deliverer: Final = Deliverer(self.store, make_channels(settings, self.sender), self.links, clock)
        self._jobs: Final[list[asyncio.Task[None]]] = []
        self._stopping: Final = asyncio.Event()

    async def start(self) -> None:
        """Bring the schema up to date and start the clocks."""
        await self.store.migrate()
        for name, work, pause in (
            ("escalation", self.escalator.run_due, TICK_SECONDS),
            ("delivery", self.deliverer.start_due, TICK_SECONDS),
            ("watchdog", self.watch.look, SLOW_TICK_SECONDS),
            ("settling", self.watch.settle, SLOW_TICK_SECONDS),
            ("gauges", self._measure, SLOW_TICK_SECONDS),
        ):
            self._jobs.append(asyncio.create_task(self._again_and_again(name, work, pause)))

    async def stop(self) -> None:
        """Let what is under way come to its end, for a bounded time."""
        self._stopping.set()
        if self._jobs:
            _, late = await asyncio.wait(self._jobs, timeout=STOP_SECONDS)
            for job in late:
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job
            with suppress(TimeoutError):
                await asyncio.wait_for(self.deliverer.finish(), STOP_SECONDS)
            await self.deliverer.cancel()
        await self.watch.close()
        await self.sender.close()
        await self.store.close()

    async def _measure(self) -> None:
        await self.overview.measure(self.clock())

    async def _again_and_again(self, name: str, work: Callable[[], Awaitable[object]], pause: float) -> None:
        """A failing round is logged once, and tried again: the database may be back by then."""
        failing = False
        while not self._stopping.is_set():
            with context.run(f"oncall-{name}"):
                try:
                    await work()
                    if failing:
                        log.info(f"The {name} clock goes on", event="oncall.clock", component=name, outcome="recovered")
                    failing = False
                except Exception as error:
                    if not failing:
                        log.error(f"The {name} clock fails", event="oncall.clock", component=name, outcome="failed", exc_info=error)
                    failing = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)


def policy_of(settings: Settings) -> Policy:
    """The policy of the settings. Raises ConfigError with the reason when it can't be used."""
    if settings.oncall_policy is None:
        return default_policy(settings.alert_email_to, with_slack=bool(settings.slack_webhook_url.get_secret_value()))
    try:
        return load_policy(settings.oncall_policy)
    except PolicyError as error:
        raise ConfigError(str(error)) from None
