"""The people of `make demo`: the requests that they send, and the count of what came back."""

import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

TOPICS: Final = ("dinner", "a walk", "night trains", "bread", "jazz", "the harbour", "chess", "old maps")
WORDS: Final = ("quiet", "late", "rain", "signal", "tea", "lantern", "harbour", "watch", "north", "morning", "tram", "paper")

KEPT_LATENCIES: Final = 5000


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
        shown = "  ".join(
            f"{name} {self.classes[name]}" for name in ("2xx", "4xx", "5xx", "no answer") if self.classes[name] or name != "no answer"
        )
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
