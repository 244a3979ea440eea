"""What visitors do, one function for each kind of visit. The names are those of the scenarios' mixes."""

import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from app.stack.demo.calls import Caller
from app.stack.demo.chat import Chatter
from app.stack.demo.people import AbsentError, Crowd, Sender, Visit, expired, new_id

TOPICS: Final = ("dinner", "a walk", "night trains", "bread", "jazz", "the harbour", "chess", "old maps")
WORDS: Final = ("quiet", "late", "rain", "signal", "tea", "lantern", "harbour", "watch", "north", "morning", "tram", "paper")
QUERY: Final = "query Home($limit: Int!) { feed(limit: $limit) { posts { id title } nextBefore } }"

SPARING_SECONDS: Final = 45.0
"""Between two wrong passwords, and between two expired tokens: an ordinary day must not set off the alerts about them
(more than 10 in 5 minutes), nor lock real people on this machine out.
"""

SPARINGLY: Final = frozenset({"wrong_password", "expired"})


class Visits:
    """The visits, and what they remember of each other."""

    def __init__(self, sender: Sender, crowd: Crowd, dice: random.Random, jwt_secret: str, is_over: Callable[[], bool]) -> None:
        self._sender: Final = sender
        self._crowd: Final = crowd
        self._dice: Final = dice
        self._secret: Final = jwt_secret
        self._posts: Final[deque[int]] = deque(maxlen=500)
        self._own: Final[deque[tuple[int, str]]] = deque(maxlen=100)
        self._etags: Final[dict[str, str]] = {}
        self._next_page: int | None = None
        self._sparing: Final[dict[str, float]] = {}
        self._absent: Final[set[str]] = set()
        chatter, caller = Chatter(sender, crowd, dice, is_over), Caller(sender, crowd, dice, is_over)
        self.kinds: Final[Mapping[str, Visit]] = {
            "feed": self._feed,
            "graphql": self._graphql,
            "read": self._read,
            "comments": self._comments,
            "post": self._post,
            "comment": self._comment,
            "delete": self._delete,
            "profile": self._profile,
            "picture": self._picture,
            "image": self._image,
            "suggest": self._suggest,
            "chat": chatter.visit,
            "call": caller.visit,
            "track": self._track,
            "login": self._login,
            "refresh": self._refresh,
            "wrong_password": self._wrong_password,
            "expired": self._expired,
            "missing": self._missing,
            "nonsense": self._nonsense,
            "crash": self._crash,
        }

    async def visit(self, kind: str) -> None:
        """One visit; whatever comes of it is counted. A kind whose endpoint is not there is said once, and reads the feed instead."""
        now = time.monotonic()
        too_soon = kind in SPARINGLY and now - self._sparing.get(kind, -SPARING_SECONDS) < SPARING_SECONDS
        if not too_soon:
            self._sparing[kind] = now
        try:
            await self.kinds["feed" if too_soon or kind in self._absent else kind]()
        except AbsentError as error:
            if kind not in self._absent:
                self._absent.add(kind)
                self._sender.tally.notes.append(f"Left out: {kind}. The application has no {error}.")

    @property
    def absent(self) -> Collection[str]:
        """Kinds that were left out."""
        return self._absent

    async def _feed(self) -> None:
        params = {"limit": self._dice.choice((10, 20, 50))}
        if self._next_page is not None and self._dice.random() < 0.3:
            params["before"] = self._next_page
        response = await self._sender.send("feed", "GET", "/feed", params=params)
        if response is not None and response.is_success:
            page = response.json()
            self._next_page = page["next_before"]
            self._posts.extend(post["id"] for post in page["posts"])

    async def _graphql(self) -> None:
        body = {"query": QUERY, "operationName": "Home", "variables": {"limit": 5}}
        await self._sender.send("graphql", "POST", "/api/graphql", json=body)

    async def _read(self) -> None:
        await self._sender.send("read", "GET", f"/posts/{self._known_post()}", intended=(200, 404))

    async def _comments(self) -> None:
        await self._sender.send("comments", "GET", f"/posts/{self._known_post()}/comments", intended=(200, 404))

    async def _post(self) -> None:
        if person := await self._crowd.somebody():
            body = {"title": self._words(3), "body": self._words(20)}
            response = await self._sender.send("post", "POST", "/posts", json=body, headers=person.headers)
            if response is not None and response.status_code == 201:
                self._posts.append(response.json()["id"])
                self._own.append((response.json()["id"], person.name))
                self._etags.setdefault(person.user_id, "")

    async def _comment(self) -> None:
        if person := await self._crowd.somebody():
            path = f"/posts/{self._known_post()}/comments"
            await self._sender.send("comment", "POST", path, json={"body": self._words(8)}, headers=person.headers, intended=(201, 404))

    async def _delete(self) -> None:
        """Of a post of somebody's, by somebody: refused unless it is one's own."""
        if person := await self._crowd.somebody():
            post = self._own.popleft() if self._own else (self._known_post(), "")
            intended = (204, 404) if post[1] == person.name else (204, 403, 404)
            await self._sender.send("delete", "DELETE", f"/posts/{post[0]}", headers=person.headers, intended=intended)

    async def _profile(self) -> None:
        """Three calls under one id: look, change, look again."""
        if person := await self._crowd.somebody():
            ident, headers = new_id(), person.headers
            await self._sender.send("profile", "GET", "/api/profile", ident=ident, headers=headers)
            body = {"display_name": f"Visitor {self._words(1)}"}
            await self._sender.send("profile", "PUT", "/api/profile", ident=ident, headers=headers, json=body)
            await self._sender.send("profile", "GET", "/api/profile", ident=ident, headers=headers)

    async def _picture(self) -> None:
        """As a browser does it: with the tag of the picture that it has."""
        name = self._dice.choice(list(self._etags)) if self._etags else str(self._dice.randint(1, 200))
        headers = {"If-None-Match": self._etags[name]} if self._etags.get(name) else {}
        response = await self._sender.send("picture", "GET", f"/api/users/{name}/picture", headers=headers)
        if response is not None and "etag" in response.headers:
            self._etags[name] = response.headers["etag"]

    async def _image(self) -> None:
        if person := await self._crowd.somebody():
            response = await self._sender.send("image", "POST", "/api/images", json={"prompt": self._words(4)}, headers=person.headers)
            if response is not None and response.is_success:
                await self._sender.send("image", "GET", f"/api/images/{response.json()['id']}")

    async def _suggest(self) -> None:
        body = {"user_id": str(self._dice.randint(1, 200)), "topic": self._dice.choice(TOPICS), "count": self._dice.randint(1, 5)}
        await self._sender.send("suggest", "POST", "/suggest", json=body)

    async def _track(self) -> None:
        """A page reports what was done in it: a message, and a payment."""
        person = await self._crowd.somebody()
        events: list[dict[str, Any]] = [
            {"event_type": "login_started", "properties": {"method": "password", "platform": "web"}},
            {"event_type": "payment", "properties": {"method": "card", "outcome": "success", "platform": "web"}},
        ]
        headers = person.headers if person else {}
        await self._sender.send("track", "POST", "/api/events", json={"source": "web", "events": events}, headers=headers)

    async def _login(self) -> None:
        if person := await self._crowd.somebody():
            await self._crowd.sign_in(person)

    async def _refresh(self) -> None:
        if person := await self._crowd.somebody():
            await self._crowd.refresh(person)

    async def _wrong_password(self) -> None:
        body = {"username": f"demo-nobody-{uuid.uuid4().hex[:8]}", "password": "not the right one"}
        await self._sender.send("wrong_password", "POST", "/api/auth/login", json=body, intended=(401,))

    async def _expired(self) -> None:
        """A token that was left in a drawer; without the key that signs them, one that somebody else signed."""
        if person := await self._crowd.somebody():
            token = expired(person.token, self._secret or "not the key of this application, which is unknown here")
            headers = {"Authorization": f"Bearer {token}"}
            body = {"display_name": "Too late"}
            await self._sender.send("expired", "PUT", "/api/profile", json=body, headers=headers, intended=(401,))

    async def _missing(self) -> None:
        path = self._dice.choice(("/posts/999999999", "/wp-login.php", f"/{uuid.uuid4().hex[:8]}", "/feed/old"))
        await self._sender.send("missing", "GET", path, intended=(404,))

    async def _nonsense(self) -> None:
        params = self._dice.choice(({"limit": "many"}, {"limit": "0"}, {"before": "-1"}))
        await self._sender.send("nonsense", "GET", "/feed", params=params, intended=(400,))

    async def _crash(self) -> None:
        await self._sender.send("crash", "GET", self._dice.choice(("/crash", "/debug")), intended=(500,))

    def _known_post(self) -> int:
        return self._dice.choice(self._posts) if self._posts else 1

    def _words(self, count: int) -> str:
        return " ".join(self._dice.choices(WORDS, k=count)).capitalize()
