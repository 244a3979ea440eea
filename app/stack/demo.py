"""`make demo`: lifelike traffic, with the failures that a real day has.

People read the feed, write posts and ask for suggestions; some follow dead
links or send nonsense; now and then the application crashes. In between the
suggestion service gets slow, fails or hangs for a while. Its knobs are put
back at the end, also after Ctrl-C.
"""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.core.config import Settings, load_settings
from app.core.ports import local_url
from app.stack.demo_scenarios import SCENARIOS, Scenario
from app.stack.demo_visitors import Tally, Visitors
from app.stack.errors import StackError

LONGEST_MINUTES: Final = 60.0
"""A demonstration that somebody forgot ends by itself."""

REQUEST_SECONDS: Final = 10.0
AT_ONCE: Final = 64
"""Most requests under way; beyond it the rate sinks instead of a queue growing."""

REPORT_SECONDS: Final = 5.0
"""Between two progress lines when the output isn't a terminal."""


def run(scenario: str = "busy", rate: float | None = None, minutes: float | None = None) -> None:
    """Send traffic to the running application until the time is up or Ctrl-C.

    `rate` is in requests per second and defaults to the scenario's own; at most
    60 minutes. Raises StackError when the scenario is unknown or the
    application isn't up.
    """
    if scenario not in SCENARIOS:
        raise StackError(f"There is no scenario {scenario!r}. Choose one of: {', '.join(SCENARIOS)}.")
    if rate is not None and rate <= 0:
        raise StackError("The rate is in requests per second and must be above 0.")
    if minutes is not None and minutes <= 0:
        raise StackError("The number of minutes must be above 0.")
    demo = Demo(load_settings(), SCENARIOS[scenario], rate, min(minutes or LONGEST_MINUTES, LONGEST_MINUTES) * 60)
    asyncio.run(demo.play())


class Demo:
    """One performance."""

    def __init__(self, settings: Settings, scenario: Scenario, rate: float | None, seconds: float, console: Console | None = None) -> None:
        self._scenario: Final = scenario
        self._rate: Final = rate or scenario.rate
        self._seconds: Final = seconds
        self._console: Final = console or Console()
        self._app_url: Final = local_url("app", settings.stack_port_offset)
        self._voice_url: Final = local_url("voice", settings.stack_port_offset)
        token = settings.metrics_token.get_secret_value()
        self._operator: Final = {"Authorization": f"Bearer {token}"} if token else {}
        self._dice: Final = random.Random()  # noqa: S311 - chance, not secrecy
        self.tally: Final = Tally()

    async def play(self) -> None:
        """From the check that somebody is there to the list of ids worth a look."""
        async with (
            httpx.AsyncClient(base_url=self._app_url, timeout=REQUEST_SECONDS, trust_env=False) as app,
            httpx.AsyncClient(base_url=self._voice_url, timeout=REQUEST_SECONDS, trust_env=False, headers=self._operator) as voice,
        ):
            await self._expect_app(app)
            knobs = VoiceKnobs(voice)
            self._introduce(await knobs.remember())
            stop = asyncio.Event()
            ends = [asyncio.create_task(work) for work in (self._visits(app, stop), self._troubles(knobs, stop), self._progress(stop))]
            with _until_interrupted(stop.set):
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._seconds)
                stop.set()
                await asyncio.gather(*ends)
                await knobs.restore()
        self._farewell()

    async def _expect_app(self, app: httpx.AsyncClient) -> None:
        try:
            await app.get("/health/live")
        except httpx.TransportError:
            raise StackError(f"Nothing answers at {self._app_url}. Start the stack with `make up`, then try again.") from None

    def _introduce(self, unsteerable: str | None) -> None:
        limits = f"{self._rate:g} requests/s at {self._app_url}, for at most {self._seconds / 60:g} min"
        self._console.print(f"Playing {self._scenario.meaning}: {limits}. Ctrl-C ends it.", soft_wrap=True)
        if unsteerable:
            self._console.print(f"It stays as it is: {unsteerable}.")

    async def _visits(self, app: httpx.AsyncClient, stop: asyncio.Event) -> None:
        """Visitors arrive by chance, as people do: a Poisson process of the given rate."""
        visitors = Visitors(app, self.tally, self._dice)
        kinds, weights = list(self._scenario.mix), list(self._scenario.mix.values())
        places = asyncio.Semaphore(AT_ONCE)

        async def visit(kind: str) -> None:
            try:
                await visitors.visit(kind)
            finally:
                places.release()

        async with asyncio.TaskGroup() as under_way:
            while not stop.is_set():
                await places.acquire()
                under_way.create_task(visit(self._dice.choices(kinds, weights)[0]))
                await _pause(stop, self._dice.expovariate(self._rate))

    async def _troubles(self, knobs: "VoiceKnobs", stop: asyncio.Event) -> None:
        while self._scenario.troubles and knobs.steerable and not stop.is_set():
            await _pause(stop, self._scenario.calm_seconds)
            if stop.is_set():
                return
            trouble = self._dice.choice(self._scenario.troubles)
            self.tally.mood = trouble.name
            await knobs.turn(trouble.knobs)
            await _pause(stop, self._scenario.trouble_seconds)
            await knobs.restore()
            self.tally.mood = "all well"

    async def _progress(self, stop: asyncio.Event) -> None:
        if not self._console.is_terminal:
            while not stop.is_set():
                await _pause(stop, REPORT_SECONDS)
                self._console.print(self.tally.line(), soft_wrap=True)
            return
        with Live(Text(), console=self._console, refresh_per_second=4) as live:
            while not stop.is_set():
                await _pause(stop, 0.25)
                live.update(Text(self.tally.line()))

    def _farewell(self) -> None:
        if self.tally.remarkable:
            self._console.print("Worth a look:")
        for what, event_id in sorted(self.tally.remarkable.items()):
            self._console.print(f"  nobet story {event_id}   {what}", soft_wrap=True, highlight=False)
        if not self.tally.requests:
            self._console.print("No request was sent: the time was too short.")


class VoiceKnobs:
    """Turns the knobs of the suggestion service and puts them back."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Final = client
        self._before: dict[str, Any] | None = None

    async def remember(self) -> str | None:
        """Note how the service behaves now. The reason why it can't be steered, or None."""
        try:
            response = await self._client.get("/admin/knobs")
        except httpx.TransportError:
            return "the suggestion service isn't up"
        if not response.is_success:
            return f"the suggestion service doesn't let its knobs be turned (status {response.status_code})"
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


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the end."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class _until_interrupted:  # noqa: N801 - reads as a statement
    """The first Ctrl-C or SIGTERM ends the performance in order: the knobs are put back and the ids are shown."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Final = end

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
