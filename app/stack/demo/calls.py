"""Visitors who call: a few turns of speech, sometimes a reservation, and the goodbye."""

import random
from collections.abc import Callable
from typing import Final

from app.stack.demo.people import Crowd, Sender

SENTENCES: Final = (
    "a table for four at eight please",
    "is there still something free tonight",
    "do you have a high chair",
    "we might be ten minutes late",
    "thank you and good night",
)
MOST_TURNS: Final = 4
TASK_SHARE: Final = 0.4


class Caller:
    """Calls."""

    def __init__(self, sender: Sender, crowd: Crowd, dice: random.Random, is_over: Callable[[], bool]) -> None:
        self._sender: Final = sender
        self._crowd: Final = crowd
        self._dice: Final = dice
        self._is_over: Final = is_over

    async def visit(self) -> None:
        """One call, from the first ring to the end; it is hung up early when the demonstration ends."""
        person = await self._crowd.somebody()
        if person is None:
            return
        started = await self._sender.send("call", "POST", "/api/calls", json={}, headers=person.headers)
        if started is None or not started.is_success:
            return
        sid = str(started.json()["call_sid"])
        path = f"/api/calls/{sid}"
        for _ in range(self._dice.randint(1, MOST_TURNS)):
            if self._is_over():
                break
            speech = {"speech": self._dice.choice(SENTENCES)}
            await self._sender.send("call", "POST", f"{path}/turns", json=speech, headers=person.headers, known_as=sid)
        if self._dice.random() < TASK_SHARE and not self._is_over():
            body = {"task": "reservation", "details": {"people": str(self._dice.randint(1, 8)), "at": "20:00"}}
            await self._sender.send("call", "POST", f"{path}/tasks", json=body, headers=person.headers, known_as=sid)
        await self._sender.send("call", "POST", f"{path}/end", headers=person.headers, known_as=sid)
