"""Keeps the demo's traffic on while somebody waits for all kinds of data to come in."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from tests.support.stack import RunningStack

Key = TypeVar("Key")
Answer = TypeVar("Answer")

Probe = Callable[[], str]
"""Says what is missing still; nothing when all is there. AssertionError tells that a server would not answer."""

SCENARIO: Final = "bad-night"
"""Visitors of every kind, failures of the application and of what it depends on."""

VISITS_A_SECOND: Final = 3
LONGEST_MINUTES: Final = 15
PAUSE_SECONDS: Final = 2.0
AT_ONCE: Final = 6
"""Questions under way; a dashboard asks as many when it is opened."""

NOT_ASKED: Final = "not asked yet"

REFUSED: Final = "refused: "
"""Begins what is said about a question that a server would not answer."""


@contextmanager
def demo_on(stack: RunningStack) -> Iterator[None]:
    """The demo plays as if a person had started it; it is ended as by Ctrl-C, and puts everything back."""
    command = [sys.executable, "-m", "app.cli", "demo", SCENARIO, "--minutes", str(LONGEST_MINUTES), "--rate", str(VISITS_A_SECOND)]
    log = stack.folder / "demo.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, env=stack.environment, cwd=stack.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
            assert process.poll() is None, f"the demo ended by itself:\n{log.read_text(encoding='utf-8')[-2000:]}"
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def watch(probes: Mapping[Key, Probe], patience: Mapping[Key, bool], seconds: float) -> dict[Key, str]:
    """What each probe is still missing in the end. Those without patience are asked, but not waited for.

    It ends as soon as nothing that is waited for is missing, at the latest after `seconds` and one last round. A refusal is
    waited for in any case: it may be of the moment, such as of an index that is just being made.
    """
    missing = dict.fromkeys(probes, NOT_ASKED)
    limit = time.monotonic() + seconds
    with ThreadPoolExecutor(AT_ONCE) as askers:
        while True:
            last = time.monotonic() >= limit
            due = [key for key, said in missing.items() if said and (patience[key] or last or said.startswith((NOT_ASKED, REFUSED)))]
            missing.update(zip(due, askers.map(lambda key: _asked(probes[key]), due), strict=True))
            if last or not any(said for key, said in missing.items() if patience[key] or said.startswith(REFUSED)):
                return missing
            time.sleep(PAUSE_SECONDS)


def for_a_moment(ask: Callable[[], Answer], seconds: float = 10.0) -> Callable[[], Answer]:
    """Gives the same answer for a moment, to whichever thread; then asks again."""
    lock = threading.Lock()
    kept: list[tuple[float, Answer]] = []

    def answer() -> Answer:
        with lock:
            if not kept or time.monotonic() - kept[0][0] > seconds:
                found = ask()
                kept[:] = [(time.monotonic(), found)]
            return kept[0][1]

    return answer


def _asked(probe: Probe) -> str:
    try:
        return probe()
    except Exception as error:
        return f"{REFUSED}{type(error).__name__}: {error}"
