"""`make demo`: lifelike traffic, with the failures that a real day has.

People read the feed, write posts and ask for suggestions; some follow dead
links or send nonsense; now and then the application crashes. In between the
suggestion service gets slow, fails or hangs for a while. Its knobs are put
back at the end, also after Ctrl-C.
"""

import asyncio
import random
import signal
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.core.config import Settings, load_settings
from app.core.ports import local_url

LONGEST_MINUTES: Final = 60.0
"""A demonstration that somebody forgot ends by itself."""

REQUEST_SECONDS: Final = 10.0
AT_ONCE: Final = 64
"""Most requests under way; beyond it the rate sinks instead of a queue growing."""

TOPICS: Final = ("dinner", "a walk", "night trains", "bread", "jazz", "the harbour", "chess", "old maps")
WORDS: Final = ("quiet", "late", "rain", "signal", "tea", "lantern", "harbour", "watch", "north", "morning", "tram", "paper")

KEPT_LATENCIES: Final = 5000
REPORT_SECONDS: Final = 5.0
"""Between two progress lines when the output isn't a terminal."""


class DemoError(Exception):
    """The demonstration can't run. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the suggestion service does for a while."""

    name: str
    knobs: Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of day: requests per second, how they are mixed, and how often trouble comes."""

    meaning: str
    rate: float
    mix: Mapping[str, float]
    troubles: tuple[Trouble, ...] = ()
    calm_seconds: float = 60.0
    trouble_seconds: float = 20.0


_PEOPLE: Final = {"feed": 60.0, "post": 12.0, "read": 12.0, "suggest": 12.0, "missing": 2.0, "nonsense": 1.5, "delete": 0.5}
_SLOW: Final = Trouble("slow", {"latency_seconds": 0.6, "jitter_seconds": 0.8})
_FAILING: Final = Trouble("failing", {"failure_share": 0.6, "failure_status": 503, "failure_code": "model_overloaded"})
_HANGING: Final = Trouble("hanging", {"hang_share": 0.3})

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "calm": Scenario("a quiet evening: few requests, hardly a failure", 4, _PEOPLE, (_SLOW,), 120, 15),
    "busy": Scenario("a working day: many requests, now and then a slow or failing dependency", 30, {**_PEOPLE, "crash": 0.05}, (_SLOW, _FAILING)),
    "trouble": Scenario(
        "a bad night: crashes, dead links, a suggestion service that fails, dawdles and hangs",
        15,
        {**_PEOPLE, "missing": 6, "nonsense": 4, "crash": 1.5},
        (_FAILING, _HANGING, _SLOW),
        10,
        30,
    ),
}


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    started: float = field(default_factory=time.monotonic)
    requests: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LATENCIES))
    remarkable: dict[str, str] = field(default_factory=dict)
    mood: str = "all well"

    def add(self, kind: str, event_id: str, outcome: str, seconds: float) -> None:
        """Count an answer, and keep the newest id of each kind worth a look."""
        self.requests += 1
        self.classes[outcome if outcome == "no answer" else f"{outcome[0]}xx"] += 1
        self.latencies.append(seconds)
        if not outcome.startswith("2") or kind == "suggest":
            self.remarkable[f"{kind}, {outcome}"] = event_id

    @property
    def p95(self) -> float:
        """Milliseconds; 0 before the first answer."""
        ordered = sorted(self.latencies)
        return ordered[int(len(ordered) * 0.95)] * 1000 if ordered else 0.0

    def line(self) -> str:
        """The progress line."""
        rate = self.requests / max(time.monotonic() - self.started, 0.001)
        shown = "  ".join(f"{name} {self.classes[name]}" for name in ("2xx", "4xx", "5xx", "no answer") if self.classes[name] or name != "no answer")
        return f"{self.requests} requests  {rate:.1f}/s  {shown}  p95 {self.p95:.0f} ms  suggestions: {self.mood}"


class Visitors:
    """Sends the requests of one scenario."""

    def __init__(self, app: httpx.AsyncClient, tally: Tally, dice: random.Random) -> None:
        self._app: Final = app
        self._tally: Final = tally
        self._dice: Final = dice
        self._posts: Final[deque[int]] = deque(maxlen=500)
        self._next_page: int | None = None
        self._visits: Final[dict[str, Callable[[dict[str, str]], Awaitable[httpx.Response]]]] = {
            "feed": self._feed,
            "post": self._post,
            "read": self._read,
            "delete": self._delete,
            "suggest": self._suggest,
            "missing": self._missing,
            "nonsense": self._nonsense,
            "crash": self._crash,
        }

    async def visit(self, kind: str) -> None:
        """One request; whatever comes of it is counted."""
        event_id = f"demo-{uuid.uuid4().hex[:12]}"
        started = time.monotonic()
        try:
            outcome = str((await self._visits[kind]({"X-Event-ID": event_id})).status_code)
        except httpx.TransportError:
            outcome = "no answer"
        self._tally.add(kind, event_id, outcome, time.monotonic() - started)

    async def _feed(self, headers: dict[str, str]) -> httpx.Response:
        params = {"limit": self._dice.choice((10, 20, 50))}
        if self._next_page is not None and self._dice.random() < 0.3:
            params["before"] = self._next_page
        response = await self._app.get("/feed", params=params, headers=headers)
        if response.is_success:
            page = response.json()
            self._next_page = page["next_before"]
            self._posts.extend(post["id"] for post in page["posts"])
        return response

    async def _post(self, headers: dict[str, str]) -> httpx.Response:
        body = {"author_id": self._user(), "title": self._words(3), "body": self._words(20)}
        response = await self._app.post("/posts", json=body, headers=headers)
        if response.status_code == 201:
            self._posts.append(response.json()["id"])
        return response

    async def _read(self, headers: dict[str, str]) -> httpx.Response:
        return await self._app.get(f"/posts/{self._known_post()}", headers=headers)

    async def _delete(self, headers: dict[str, str]) -> httpx.Response:
        return await self._app.delete(f"/posts/{self._known_post()}", headers=headers)

    async def _suggest(self, headers: dict[str, str]) -> httpx.Response:
        body = {"user_id": self._user(), "topic": self._dice.choice(TOPICS), "count": self._dice.randint(1, 5)}
        return await self._app.post("/suggest", json=body, headers=headers)

    async def _missing(self, headers: dict[str, str]) -> httpx.Response:
        path = self._dice.choice(("/posts/999999999", "/wp-login.php", f"/{uuid.uuid4().hex[:8]}", "/feed/old"))
        return await self._app.get(path, headers=headers)

    async def _nonsense(self, headers: dict[str, str]) -> httpx.Response:
        params = self._dice.choice(({"limit": "many"}, {"limit": "0"}, {"before": "-1"}))
        return await self._app.get("/feed", params=params, headers=headers)

    async def _crash(self, headers: dict[str, str]) -> httpx.Response:
        return await self._app.get(self._dice.choice(("/crash", "/debug")), headers=headers)

    def _known_post(self) -> int:
        return self._dice.choice(self._posts) if self._posts else 1

    def _user(self) -> str:
        return str(self._dice.randint(1, 200))

    def _words(self, count: int) -> str:
        return " ".join(self._dice.choices(WORDS, k=count)).capitalize()


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

    async def turn(self, knobs: Mapping[str, Any]) -> None:
        """Turn some; a service that is gone is no reason to stop."""
        with suppress(httpx.TransportError):
            await self._client.patch("/admin/knobs", json=dict(knobs))

    async def restore(self) -> None:
        """As it was at `remember`."""
        if self._before is not None:
            await self.turn(self._before)
