"""Who visits: a small crowd with accounts, and the sender that counts every answer."""

import asyncio
import random
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import httpx
import jwt

from app.core.config import Settings
from app.stack.demo.tally import NO_ANSWER, Answer, Tally
from app.stack.errors import StackError

CROWD: Final = 6
"""Accounts of one performance. Registering costs the app the better part of a tenth of a second each."""

UNKNOWN_ROUTE: Final = "Not Found"
"""FastAPI's words where no route matches; ours say what there isn't."""

TIMEOUT_SECONDS: Final = 15.0


class AbsentError(Exception):
    """This version of the application lacks the endpoint."""


@dataclass(slots=True)
class Person:
    """Somebody with an account. `token` is empty when signed out."""

    name: str
    password: str
    user_id: str = ""
    token: str = ""
    refresh_token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self.token}"}


class Sender:
    """Sends requests, each with an id, and counts what comes back."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally) -> None:
        self._client: Final = client
        self.tally: Final = tally

    @property
    def base_url(self) -> str:
        """Address of the application."""
        return str(self._client.base_url).rstrip("/")

    async def send(
        self, kind: str, method: str, path: str, *, intended: Collection[int] = (), ident: str = "", known_as: str = "", **arguments: Any
    ) -> httpx.Response | None:
        """One request; None when no answer came. `intended` are the statuses that are right, without any every 2xx and 304.

        `known_as` is an id that tells more than the request's own, such as that of the call that it belongs to.
        Raises AbsentError when there is no such endpoint.
        """
        ident = ident or new_id()
        headers = {"X-Event-ID": ident, **arguments.pop("headers", {})}
        started = time.monotonic()
        try:
            response = await self._client.request(method, path, headers=headers, **arguments)
        except httpx.TransportError:
            self.tally.add(Answer(kind, known_as or ident, NO_ANSWER, time.monotonic() - started, intended=False))
            return None
        status = response.status_code
        if 404 not in intended and status in (404, 405) and _is_unknown(response):
            raise AbsentError(f"{method} {path}")
        right = status in intended if intended else response.is_success or status == 304
        self.tally.add(Answer(kind, known_as or ident, str(status), time.monotonic() - started, intended=right))
        return response


class Crowd:
    """The people with accounts, made when the first of them is needed."""

    def __init__(self, sender: Sender, dice: random.Random) -> None:
        self._sender: Final = sender
        self._dice: Final = dice
        self._people: Final[list[Person]] = []
        self._growing: Final = asyncio.Lock()
        self._run: Final = secrets.token_hex(4)

    async def somebody(self) -> Person | None:
        """A person who is signed in; None while nobody can be. Raises AbsentError where there are no accounts."""
        # Only one at a time registers, and only while there is nobody do the others wait for it.
        grows = len(self._people) < CROWD and not self._growing.locked()
        if grows or not self._people:
            async with self._growing:
                if grows or not self._people:
                    await self._join()
        return self._dice.choice(self._people) if self._people else None

    async def sign_in(self, person: Person, kind: str = "login") -> None:
        """Sign in, once more or for the first time."""
        body = {"username": person.name, "password": person.password}
        _keep(person, await self._sender.send(kind, "POST", "/api/auth/login", json=body))

    async def refresh(self, person: Person) -> None:
        """Exchange the refresh token. Each is good once, so nobody else may hold it meanwhile."""
        token, person.refresh_token = person.refresh_token, ""
        if not token:
            await self.sign_in(person)
            return
        _keep(person, await self._sender.send("refresh", "POST", "/api/auth/refresh", json={"refresh_token": token}))

    async def _join(self) -> None:
        person = Person(f"demo-{self._run}-{len(self._people) + 1}", secrets.token_urlsafe(16))
        body = {"username": person.name, "password": person.password, "display_name": "A visitor of the demo"}
        if (answer := await self._sender.send("register", "POST", "/api/auth/register", json=body)) is not None and answer.is_success:
            await self.sign_in(person)
            if person.token:
                self._people.append(person)


def expired(token: str, secret: str) -> str:
    """The same token, expired an hour ago: what a phone sends that was left in a drawer."""
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(time.time())
    claims |= {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
    return jwt.encode(claims, secret, str(jwt.get_unverified_header(token)["alg"]))


def expired_or_refused(token: str, settings: Settings) -> str:
    """The token as it will be when it is too old, for trying out. Raises StackError outside development, and for what is no token."""
    secret = settings.jwt_secret.get_secret_value()
    if not settings.is_trial or not secret:
        raise StackError("Expired tokens are made only where ENVIRONMENT is development or test, with the JWT_SECRET that `make up` wrote.")
    try:
        return expired(token, secret)
    except jwt.InvalidTokenError:
        raise StackError("Standard input has no access token. Sign in with POST /api/auth/login and pass on its access_token.") from None


def new_id() -> str:
    """An id by which the visits of demonstrations are recognised."""
    return f"demo-{uuid.uuid4().hex[:12]}"


def _keep(person: Person, answer: httpx.Response | None) -> None:
    if answer is not None and answer.is_success:
        tokens = answer.json()
        person.user_id, person.token, person.refresh_token = tokens["user_id"], tokens["access_token"], tokens["refresh_token"]


def _is_unknown(response: httpx.Response) -> bool:
    try:
        return response.status_code == 405 or response.json().get("detail") == UNKNOWN_ROUTE
    except (ValueError, AttributeError):
        return True


Visit = Callable[[], Awaitable[None]]
