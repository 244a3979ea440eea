"""`python -m app.stack.install`: get everything that the native stack and the checks run from, before anybody waits for it.

Prints a line per part with the time it took. What is there already costs nothing; what a machine can't have
(no Go: no Jaeger) is named and left out. Exits 1 when something could not be got.
"""

import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from app.stack.choose import choose
from app.stack.components.checks import COMPOSE, PEBBLE
from app.stack.errors import StackError
from app.stack.install import go, install, unusable
from app.stack.mode import has_compose
from app.stack.preview import bundle
from app.stack.stack import open_stack

AT_ONCE: Final = 4
"""Downloads wait for the network and builds for the processor: some of each fit beside one another."""


def main() -> int:
    """Install all parts; 1 when one failed."""
    stack = open_stack()
    cache = stack.paths.cache
    choice = choose(stack, None, strict=False)
    jobs: dict[str, Callable[[], object]] = {
        chosen.component.title: (lambda chosen=chosen: install(chosen.source, chosen.component, cache, lambda _text: None))  # type: ignore[misc]
        for chosen in choice.chosen.values()
    }
    if shutil.which("npm"):
        jobs["Preview page"] = lambda: bundle.build(cache, lambda _text: None)
    if not has_compose():
        jobs["Compose"] = lambda: go.build(COMPOSE, compose_home(cache), cache, lambda _text: None)
    if not unusable(PEBBLE):
        jobs["Pebble"] = lambda: go.build(PEBBLE, pebble_home(cache), cache, lambda _text: None)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return 1 if any(list(pool.map(_run, jobs, jobs.values()))) else 0


def compose_home(cache: Path) -> Path:
    """Where the Compose program of the checks is built."""
    return cache / f"compose-{COMPOSE.version}"


def pebble_home(cache: Path) -> Path:
    """Where the ACME server of the tests is built."""
    return cache / f"pebble-{PEBBLE.version}"


def _run(title: str, job: Callable[[], object]) -> bool:
    """Whether it failed."""
    begin = time.monotonic()
    try:
        job()
    except StackError as error:
        sys.stderr.write(f"{title}: {error}\n")
        return True
    took = time.monotonic() - begin
    if took > 1:
        sys.stdout.write(f"  {title:<26} {took:5.0f} s\n")
        sys.stdout.flush()
    return False


if __name__ == "__main__":
    sys.exit(main())
