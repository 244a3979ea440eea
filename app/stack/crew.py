"""Brings components up side by side: each in a thread of its own, as soon as what it needs is ready."""

import threading
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from app.stack.bring_up import BringUp
from app.stack.choose import Chosen
from app.stack.errors import StackError
from app.stack.progress import Progress

BACKGROUND_SECONDS: Final = 20.0
"""`up` gives background components this long after everything else is ready; it does not wait at all while they build."""

_ENDED: Final = frozenset({"ready", "failed", "blocked"})

_Event = tuple[str, str, str]


@dataclass
class Crew:
    """Starts components in dependency order and collects what failed."""

    bring_up: BringUp
    members: dict[str, Chosen]
    errors: dict[str, str] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    """Background components that are still building or starting."""
    _blocked: set[str] = field(default_factory=set)

    def run(self, progress: Progress) -> None:
        """Return when every component is ready, has failed, or may go on in the background."""
        events: SimpleQueue[_Event] = SimpleQueue()
        ready = {name: threading.Event() for name in self.members}
        states = dict.fromkeys(self.members, "waiting")
        for name, chosen in self.members.items():
            threading.Thread(target=self._member, args=(chosen, ready, events), name=f"up-{name}", daemon=True).start()
        foreground_done = 0.0
        while waiting := {name for name, state in states.items() if state not in _ENDED}:
            self._take(events, states, progress)
            if any(not self.members[name].component.background for name in waiting):
                continue
            foreground_done = foreground_done or time.monotonic()
            building = all(states[name] == "building" for name in waiting)
            if building or time.monotonic() - foreground_done > BACKGROUND_SECONDS:
                self.unfinished = waiting
                return

    def _take(self, events: SimpleQueue[_Event], states: dict[str, str], progress: Progress) -> None:
        try:
            name, state, detail = events.get(timeout=0.12)
        except Empty:
            progress.tick()
            return
        progress.tell(name, state, detail)
        states[name] = state

    def _member(self, chosen: Chosen, ready: dict[str, threading.Event], events: SimpleQueue[_Event]) -> None:
        name = chosen.component.name

        def tell(state: str, detail: str = "") -> None:
            events.put((name, state, detail))

        try:
            self.bring_up.install(chosen, tell)
            blocker = self._wait_for_needs(chosen, ready)
            if blocker:
                tell("blocked", f"{blocker} did not start")
                return
            self.bring_up.start(chosen, tell)
            self.bring_up.wait_ready(chosen, tell)
            tell("ready")
        except StackError as error:
            self.errors[name] = str(error)
            tell("failed", str(error).splitlines()[0][:160])
        except Exception as error:  # noqa: BLE001 (a thread that dies silently would leave `up` waiting for ever)
            self.errors[name] = f"{chosen.component.title}: {type(error).__name__}: {error}"
            tell("failed", type(error).__name__)
        finally:
            ready[name].set()

    def _wait_for_needs(self, chosen: Chosen, ready: dict[str, threading.Event]) -> str:
        """Wait until every dependency is ready or has failed; returns the name of one that failed."""
        for need in chosen.component.depends_on:
            if need in ready:
                ready[need].wait()
                if need in self.errors or need in self._blocked:
                    self._blocked.add(chosen.component.name)
                    return need
        return ""
