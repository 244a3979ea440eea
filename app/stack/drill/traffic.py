"""Requests to the app, from threads, as long as a drill wants them."""

import itertools
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR
from types import TracebackType
from typing import Any, Final, Self

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from app.stack.errors import StackError

_SECONDS: Final = 30.0
_SIGN_IN_SECONDS: Final = 120.0

Visit = Callable[["Visitor"], object]
"""One or several requests."""


class Visitor:
    """A user with an account, made when a request needs one."""

    def __init__(self, app: str) -> None:
        self._http: Final = httpx.Client(base_url=app, timeout=_SECONDS, trust_env=False)
        self._token = ""
        self._call = ""
        self._turn: Final = itertools.count()
        self.number = 0
        """Of the visit that is under way."""

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """A request without an account."""
        return self._http.get(path, **arguments)

    def post(self, path: str, body: Any) -> httpx.Response:
        """A request without an account."""
        return self._http.post(path, json=body)

    def suggest(self) -> httpx.Response:
        """Something for which the app has to ask the service next door."""
        return self.post("/suggest", {"user_id": "drill", "topic": "dinner", "count": 1})

    def every(self, number: int) -> bool:
        """True each so many times."""
        return next(self._turn) % number == 0

    def call(self, what: str, body: Any) -> httpx.Response:
        """A turn or a task of a voice call, which is begun when there is none."""
        if not self._call:
            self._call = str(self._signed_in("POST", "/api/calls", {}).raise_for_status().json()["call_sid"])
        answer = self._signed_in("POST", f"/api/calls/{self._call}/{what}", body)
        if answer.status_code == 404:
            self._call = ""
        return answer

    def events(self, body: Any) -> httpx.Response:
        """Tracked events of a client."""
        return self._signed_in("POST", "/api/events", body)

    def vanish(self) -> None:
        """Open a chat and be gone without a word, as on a train in a tunnel."""
        chat = self._signed_in("POST", "/api/chat", {"model": "gpt-4"}).raise_for_status().json()
        url = str(self._http.base_url.copy_with(scheme="ws")).rstrip("/") + str(chat["websocket"])
        with connect(url, additional_headers={"Authorization": f"Bearer {self._token}"}, proxy=None, open_timeout=_SECONDS) as socket:
            socket.socket.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Hang up and go."""
        if self._call:
            with suppress(httpx.HTTPError):
                self._signed_in("POST", f"/api/calls/{self._call}/end", None)
        self._http.close()

    def _signed_in(self, method: str, path: str, body: Any) -> httpx.Response:
        if not self._token:
            self._join()
        answer = self._http.request(method, path, json=body, headers={"Authorization": f"Bearer {self._token}"})
        if answer.status_code == 401:
            self._token = ""
        return answer

    def _join(self) -> None:
        body = {
            "username": f"drill-{secrets.token_hex(6)}",
            "password": secrets.token_urlsafe(16),
            "display_name": "A visitor of the drill",
        }
        deadline = time.monotonic() + _SIGN_IN_SECONDS
        while True:
            with suppress(httpx.HTTPError, KeyError, ValueError):
                self._http.post("/api/auth/register", json=body)
                self._token = str(self._http.post("/api/auth/login", json=body).raise_for_status().json()["access_token"])
                return
            if time.monotonic() > deadline:
                raise StackError("Nobody can sign in to the app.")
            time.sleep(0.5)


class Traffic:
    """Visits at a rate from some threads, until closed. A visit that fails is no reason to stop."""

    def __init__(self, app: str, visit: Visit, per_second: float, threads: int = 1) -> None:
        self._stop: Final = threading.Event()
        self._app: Final = app
        self._visit: Final = visit
        self._pause: Final = threads / per_second
        self._threads: Final = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_SECONDS)

    def _run(self) -> None:
        visitor = Visitor(self._app)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            visitor.number += 1
            due = max(due + self._pause, time.monotonic() - 1)  # after a hang-up the lost visits are not all made up for
            with suppress(httpx.HTTPError, WebSocketException, OSError, StackError, KeyError, ValueError):
                self._visit(visitor)
        visitor.close()
