"""A stack for the drill alone: folders and ports of its own, quick, told to the drill's own stand-ins, and gone afterwards."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rich.console import Console

from app.core.config import Settings
from app.stack.down import down
from app.stack.drill.pace import scrape_seconds
from app.stack.drill.receivers import Receivers
from app.stack.errors import StackError
from app.stack.listeners import free_offset
from app.stack.stack import Stack, open_stack
from app.stack.up import up

FOLDER: Final = "drill"
"""Below the folder of the stack that is not drilled."""

_PORT: Final = "receivers"
_ENVIRONMENT: Final = "environment.json"
WATCHDOG_SECONDS: Final = 30
_STARTS: Final = 3

_POLICY: Final = """\
people:
  first: {name: First, contacts: ["email:oncall@localhost"]}
escalations:
  page:
    levels:
      - {notify: ["person:first", "slack:", "pagerduty:"], wait: 1d}
    rounds: 1
  ticket:
    levels:
      - {notify: ["person:first", "slack:"], wait: 1d}
    rounds: 1
routes:
  - {match: {severity: critical}, escalation: page}
  - {escalation: ticket}
"""


@contextmanager
def own_stack(usual: Stack, receivers: Receivers, scale: float, console: Console, *, keep: bool) -> Iterator[Stack]:
    """A fresh stack that runs as long as the block lasts. Raises StackError when it does not start.

    `keep`: it goes on afterwards, and the next drill that keeps it takes it as it is.
    """
    folder = usual.paths.root / FOLDER
    _use(environment := _environment(usual, folder, receivers, scale))
    if not keep:
        _end(open_stack())
        _use(environment := _environment(usual, folder, receivers, scale))
    (folder / "etc").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "policy.yml").write_text(_POLICY, encoding="utf-8")
    (folder / _PORT).write_text(str(receivers.port), "ascii")
    (folder / _ENVIRONMENT).write_text(json.dumps(environment), "utf-8")
    stack = open_stack()
    try:
        _start(stack, console)
        yield stack
    finally:
        if not keep:
            _end(stack)


def kept_port(usual: Stack) -> int:
    """The port to which a kept stack tells its pages; 0 where there is none."""
    try:
        return int((usual.paths.root / FOLDER / _PORT).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def kept_stack(usual: Stack) -> Stack:
    """The stack that a drill left running. Raises StackError when there is none. Settings of this process become the drill's."""
    try:
        environment: dict[str, str] = json.loads((usual.paths.root / FOLDER / _ENVIRONMENT).read_text("utf-8"))
    except FileNotFoundError:
        raise StackError("No drill left a stack. `nobet drill --keep` leaves one.") from None
    _use(environment)
    return open_stack()


def end_kept(usual: Stack) -> None:
    """Stop the stack that a drill left running and remove its folder. Raises StackError when there is none."""
    _end(kept_stack(usual))


def _start(stack: Stack, console: Console) -> None:
    """A machine that does much else needs more than one try."""
    for _ in range(_STARTS):
        with suppress(StackError):
            up(stack, console)
            return
    up(stack, console)


def _end(stack: Stack) -> None:
    """Stop what may still run there and remove the folder."""
    if stack.paths.root.is_dir():
        down(stack, Console(quiet=True))
        shutil.rmtree(stack.paths.root, ignore_errors=True)


def _use(environment: Mapping[str, str]) -> None:
    """Let the settings of this process be the drill's, whatever those of the shell are."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    os.environ.update(environment)


def _environment(usual: Stack, folder: Path, receivers: Receivers, scale: float) -> dict[str, str]:
    """The settings of a drill's stack. None of them is a secret."""
    return {
        "STACK_DIR": str(folder),
        "STACK_CACHE_DIR": str(usual.paths.cache),
        "STACK_PORT_OFFSET": str(_free_offset(folder / "offset")),
        "ENVIRONMENT": "development",
        "PROMETHEUS_SCRAPE_INTERVAL": f"{scrape_seconds(scale)}s",
        "PROMETHEUS_RULE_SCALE": f"{scale:.12g}",
        "HEALTH_INTERVAL_SECONDS": "1",
        "HEALTH_CACHE_SECONDS": "1",
        "CANARY_SECONDS": "1",
        "LOG_LEVEL": "INFO",
        "RATE_LIMIT_PER_MINUTE": "0",
        "VOICE_TIMEOUT_SECONDS": "15",
        "CIRCUIT_OPEN_SECONDS": "1",
        "SHIPPER_BACKOFF_MAX_SECONDS": "2",
        "SENTRY_EVENTS_PER_MINUTE": "60",
        "SENTRY_EVENTS_PER_MINUTE_OF_A_KIND": "30",
        "ALERT_HEALTH_SECONDS": "0",  # only the rules are on trial; the processes' own alerts have tests
        "ONCALL_POLICY": str(folder / "policy.yml"),
        "ONCALL_WATCHDOG_SECONDS": str(WATCHDOG_SECONDS),
        "SLACK_WEBHOOK_URL": f"{receivers.url}/slack",
        "PAGERDUTY_URL": f"{receivers.url}/pagerduty",
        "PAGERDUTY_KEY": "key-of-the-drill",
    }


def _free_offset(noted: Path) -> int:
    """The offset of a drill that was interrupted, so that it can be ended, else one at which every port is free."""
    if not noted.exists():
        offset = free_offset()
        noted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        noted.write_text(str(offset), "ascii")
    return int(noted.read_text("ascii"))
