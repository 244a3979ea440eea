"""Where drills happen: the stack, the hands that do faults to it, the traffic on it, and what it tells."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

import httpx
import psutil

from app.core.ports import LOOPBACK
from app.stack.drill.chain import Chain
from app.stack.drill.hands import Hands
from app.stack.drill.pace import Pace
from app.stack.drill.receivers import Receivers
from app.stack.drill.traffic import Traffic, Visit
from app.stack.errors import StackError
from app.stack.stack import Stack

_WAIT_SECONDS: Final = 120.0
_END_SECONDS: Final = 60.0


class Arena:
    """What a fault gets to work with."""

    def __init__(self, stack: Stack, hands: Hands, pace: Pace, chain: Chain, receivers: Receivers | None) -> None:
        self.stack: Final = stack
        self.hands: Final = hands
        self.pace: Final = pace
        self.chain: Final = chain
        self.receivers: Final = receivers
        self._held: Final = ExitStack()

    @property
    def nobody(self) -> str:
        """host:port at which nobody listens."""
        return f"{LOOPBACK}:{self.stack.port('preview')}"

    def visit(self, visit: Visit, per_second: float, threads: int = 1) -> None:
        """Send these requests until the fault is undone."""
        self._held.enter_context(Traffic(self.stack.url("app"), visit, per_second, threads))

    def repeat(self, action: Callable[[], object], pause: float, threads: int = 1) -> None:
        """Do something again and again until the fault is undone. What fails is tried again."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(pause):
                with suppress(OSError, httpx.HTTPError, psutil.Error, StackError):
                    action()

        crew = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
        for thread in crew:
            self._held.callback(thread.join, _END_SECONDS)
            thread.start()
        self._held.callback(stop.set)  # called before the joins

    def wait(self, what: str, probe: Callable[[], object]) -> None:
        """Wait for a step of a fault. Raises StackError when it does not come."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not probe():
            if time.monotonic() > deadline:
                raise StackError(f"{what} did not come within {_WAIT_SECONDS:.0f} s.")
            time.sleep(0.25)

    def refuse_slack(self) -> None:
        """Let Slack's stand-in fail until the fault is undone."""
        if self.receivers is not None:
            self.receivers.status = 500
            self._held.callback(setattr, self.receivers, "status", 200)

    def hold(self) -> ExitStack:
        """Something else that ends when the fault is undone."""
        return self._held

    def undo(self, keep: int) -> list[str]:
        """Put everything back but the first `keep` steps of the journal; returns what could not be."""
        self._held.close()
        return self.hands.journal.undo(self.hands.perform, keep)
