"""Performs a scenario: visitors by chance, troubles by plan, a progress line, and everything put back at the end."""

import asyncio
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx
from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.core.config import Settings, load_settings
from app.core.ports import local_url
from app.stack.demo.people import TIMEOUT_SECONDS, Crowd, Sender
from app.stack.demo.report import farewell, introduction
from app.stack.demo.scenarios import ALIASES, DEFAULT, SCENARIOS, Scenario, Trouble
from app.stack.demo.tally import Tally
from app.stack.demo.troubles import PAUSE_SECONDS, DatabaseLock, DeploymentMarks, VoiceKnobs, pause
from app.stack.demo.visits import Visits
from app.stack.errors import StackError

LONGEST_MINUTES: Final = 60.0
"""A demonstration that somebody forgot ends by itself."""

HIGHEST_RATE: Final = 100.0
"""Visits per second. Beyond it the application's own rate limit is what one would see."""

AT_ONCE: Final = 64
"""Most visits under way; beyond it the rate sinks instead of a queue growing."""

RARE: Final = 0.1
"""Visits of a smaller weight are left to chance; each of the others is made once at the beginning."""

FINISH_SECONDS: Final = 10.0
"""Visits under way get this long to end when the time is up."""

REPORT_SECONDS: Final = 5.0
"""Between two progress lines when the output isn't a terminal."""


def run(scenario: str = DEFAULT, rate: float | None = None, minutes: float | None = None) -> None:
    """Send traffic to the running application until the time is up or Ctrl-C.

    `rate` is in visits per second, at most HIGHEST_RATE, `minutes` at most 60; both default to the scenario's own.
    Raises StackError when the scenario is unknown, the application isn't up, or it isn't for trying things out.
    """
    name = ALIASES.get(scenario, scenario)
    if name not in SCENARIOS:
        raise StackError(f"There is no scenario {scenario!r}. Choose one of: {', '.join(SCENARIOS)}. `nobet demo --list` explains them.")
    if rate is not None and not 0 < rate <= HIGHEST_RATE:
        raise StackError(f"The rate is in visits per second and must be above 0 and at most {HIGHEST_RATE:g}.")
    if minutes is not None and minutes <= 0:
        raise StackError("The number of minutes must be above 0.")
    settings = load_settings()
    if not settings.is_trial:
        raise StackError("The demo sends invented people and failures: it runs only where ENVIRONMENT is development or test.")
    chosen = SCENARIOS[name]
    demo = Demo(settings, name, chosen, rate or chosen.rate, min(minutes or chosen.minutes, LONGEST_MINUTES) * 60)
    asyncio.run(demo.play())


class Demo:
    """One performance."""

    def __init__(
        self, settings: Settings, name: str, scenario: Scenario, rate: float, seconds: float, console: Console | None = None
    ) -> None:
        self._settings: Final = settings
        self._name: Final = name
        self._scenario: Final = scenario
        self._rate: Final = rate
        self._seconds: Final = seconds
        self._console: Final = console or Console(highlight=False, markup=False)
        self._app_url: Final = local_url("app", settings.stack_port_offset)
        self._voice_url: Final = local_url("voice", settings.stack_port_offset)
        token = settings.metrics_token.get_secret_value()
        self._operator: Final = {"Authorization": f"Bearer {token}"} if token else {}
        self._dice: Final = random.Random()  # noqa: S311 - chance, not secrecy
        self._mix = dict(scenario.mix)
        self._stop: Final = asyncio.Event()
        self.tally: Final = Tally()

    async def play(self) -> None:
        """From the check that somebody is there to the list of ids worth a look."""
        async with (
            httpx.AsyncClient(base_url=self._app_url, timeout=TIMEOUT_SECONDS, trust_env=False) as app,
            httpx.AsyncClient(base_url=self._voice_url, timeout=TIMEOUT_SECONDS, trust_env=False, headers=self._operator) as voice,
        ):
            await self._expect_app(app)
            knobs = VoiceKnobs(voice)
            self._console.print(introduction(self._name, self._scenario, self._rate, self._seconds, self._app_url), soft_wrap=True)
            if problem := await knobs.remember():
                self.tally.notes.append(f"It stays as it is: {problem}.")
            with _until_interrupted(self._stop.set):
                try:
                    await self._perform(app, knobs)
                finally:
                    await knobs.restore()
        self._console.print(farewell(self.tally, self._scenario), soft_wrap=True)

    async def _perform(self, app: httpx.AsyncClient, knobs: VoiceKnobs) -> None:
        """Until the time is up or somebody ends it; a fault of ours ends it too, and is raised."""
        async with asyncio.TaskGroup() as under_way:
            for work in (self._visits(app), self._troubles(knobs), self._progress()):
                under_way.create_task(work)
            await pause(self._stop, self._seconds)
            self._stop.set()

    async def _expect_app(self, app: httpx.AsyncClient) -> None:
        try:
            await app.get("/health/live")
        except httpx.TransportError:
            raise StackError(f"Nothing answers at {self._app_url}. Start the stack with `make up`, then try again.") from None

    async def _visits(self, app: httpx.AsyncClient) -> None:
        """Visitors arrive by chance, as people do: a Poisson process of the given rate."""
        sender = Sender(app, self.tally)
        secret = self._settings.jwt_secret.get_secret_value()
        visits = Visits(sender, Crowd(sender, self._dice), self._dice, secret, self._stop.is_set)
        places = asyncio.Semaphore(AT_ONCE)
        under_way: set[asyncio.Task[None]] = set()

        async def visit(kind: str) -> None:
            try:
                await visits.visit(kind)
            finally:
                places.release()

        first = [kind for kind, weight in self._mix.items() if weight >= RARE]
        self._dice.shuffle(first)
        while not self._stop.is_set():
            await places.acquire()
            kind = first.pop() if first else self._dice.choices(list(self._mix), list(self._mix.values()))[0]
            task = asyncio.create_task(visit(kind))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await pause(self._stop, self._dice.expovariate(self._rate))
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=FINISH_SECONDS)
            for task in late:
                task.cancel()

    async def _troubles(self, knobs: VoiceKnobs) -> None:
        """Calm, trouble, calm, trouble …; in a short performance both are shortened, so that there is a bit of each."""
        calm = min(self._scenario.calm_seconds, self._seconds / 5)
        lasts = min(self._scenario.trouble_seconds, self._seconds * 3 / 5)
        turn = 0
        while self._scenario.troubles and not self._stop.is_set():
            await pause(self._stop, calm)
            if self._stop.is_set():
                return
            trouble = self._scenario.troubles[turn % len(self._scenario.troubles)]
            turn += 1
            await self._make_trouble(trouble, knobs, lasts)

    async def _make_trouble(self, trouble: Trouble, knobs: VoiceKnobs, seconds: float) -> None:
        self.tally.mood = trouble.name
        self._mix = {**self._scenario.mix, **trouble.visits}
        if trouble.knobs and knobs.steerable:
            await knobs.turn(trouble.knobs)
        marks = DeploymentMarks(self._settings)
        if trouble.deploys:
            self._mark(marks, f"{self._settings.app_version}-demo", "deployed")
        try:
            if trouble.lock_seconds:
                await self._lock(trouble.lock_seconds, seconds)
            else:
                await pause(self._stop, seconds)
        finally:
            if trouble.knobs:
                await knobs.restore()
            if trouble.deploys:
                self._mark(marks, self._settings.app_version, "rolled_back")
            self._mix = dict(self._scenario.mix)
            self.tally.mood = "all well"

    def _mark(self, marks: DeploymentMarks, version: str, reason: str) -> None:
        if marks.mark(version, reason):
            self.tally.notes.append(f"Version {version} was {reason.replace('_', ' ')} (event app.deployed).")
        elif reason == "deployed":
            self.tally.notes.append("The deployment is not marked in the log: the spool can't be reached from here.")

    async def _lock(self, each: float, seconds: float) -> None:
        lock = DatabaseLock(self._settings)
        loop = asyncio.get_running_loop()
        over = loop.time() + seconds
        while not self._stop.is_set() and (left := over - loop.time()) > 0:
            self.tally.mood = "the posts table is locked"
            if problem := await lock.hold(min(each, left), self._stop):
                self.tally.notes.append(f"Without the lock: {problem}.")
                await pause(self._stop, left)
                return
            self.tally.mood = "the lock is released for a moment"
            await pause(self._stop, min(PAUSE_SECONDS, max(0.0, over - loop.time())))

    async def _progress(self) -> None:
        if not self._console.is_terminal:
            while not self._stop.is_set():
                await pause(self._stop, REPORT_SECONDS)
                self._say_notes()
                self._console.print(self.tally.line(), soft_wrap=True)
            return
        with Live(Text(), console=self._console, refresh_per_second=4, transient=True) as live:
            while not self._stop.is_set():
                await pause(self._stop, 0.25)
                self._say_notes()
                live.update(Text(self.tally.line(), no_wrap=True, overflow="ellipsis"))
        self._console.print(self.tally.line(), soft_wrap=True)

    def _say_notes(self) -> None:
        while self.tally.notes:
            self._console.print(self.tally.notes.pop(0), soft_wrap=True)


class _until_interrupted:  # noqa: N801 - reads as a statement
    """The first Ctrl-C or SIGTERM ends the performance in order: everything is put back and the ids are shown."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Final = end

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):
                loop.remove_signal_handler(number)
