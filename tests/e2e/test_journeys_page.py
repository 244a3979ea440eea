"""docs/journeys.md, played as a person plays it: every block is pasted into a shell, against the whole stack."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from app.core.ports import PORTS
from tests.config.test_journeys import PAGE, SECTIONS
from tests.support.processes import CHECKOUT
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLAYED: Final = {journey: "".join(BLOCK.findall(text)) for journey, text in SECTIONS.items() if BLOCK.search(text)}
SECONDS: Final = 200
PATIENCE_SECONDS: Final = 90
AS_LONG: Final = 2
"""The page's pauses are for a machine of one's own; here they are so many times as long, because all other tests run beside."""

SEEN: Final = {
    "J-01": ("HTTP/1.1 5", "abc123", "feed.failed"),
    "J-02": ("401", "token.expired", "token_expired"),
    "J-03": ("401", "token.expired", "user_login"),
    "J-04": ("4401", "token.expired", "chat.message"),
    "J-05": ("1006", "2 connections"),
    "J-06": ("502", "suggestion.failed", "model_overloaded", "suggestion.timed_out"),
    "J-08": ("400 Bad Request", "404 Not Found", "http.request.invalid"),
    "J-09": ("ZeroDivisionError", "GET /crash crashed"),
    "J-10": ("Story of CA", "llm_call"),
    "J-11": ("502", "call.task_failed"),
    "J-12": ("5 requests", "tts_processing"),
    "J-14": ("nobet story", "404"),
    "J-17": ("503", "redis"),
    "J-19": ('"accepted":1', "image_generated"),
    "J-20": ("401", "user_login"),
    "J-23": ("app", "http.request.completed", "up"),
    "J-25": ("304", "404"),
    "J-26": ("3 requests",),
    "J-27": ("comment1",),
    "J-29": ("sk_live_***", "\n0\n"),
}
"""What a person is told to look at, as words of the output."""


def shell(world: RunningStack, script: str) -> str:
    """What a bash with this script prints. Addresses of the page are those of this stack, and so is the command; pauses are longer."""
    for name, number in PORTS.items():
        script = script.replace(f"127.0.0.1:{number}", f"127.0.0.1:{world.port(name)}")
    script = re.sub(r"\bsleep (\d+)\b", lambda match: f"sleep {int(match[1]) * AS_LONG}", script)
    python = shlex.quote(sys.executable)
    script = re.sub(r"\.venv/bin/(nobet|python)\b", lambda match: f"{python} -m app.cli" if match[1] == "nobet" else python, script)
    done = subprocess.run(
        ["bash", "-euc", script], env=world.environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def prepared(world: RunningStack, app: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first block, once: its variables and functions for all the others."""
    kept = tmp_path_factory.mktemp("journeys") / "variables"
    first = BLOCK.findall(PAGE.partition("## J-01")[0])[0]
    names = "app voice prometheus json name credentials user token auth operator"
    script = f"{first}\n(declare -p {names}; declare -f nobet field) > {shlex.quote(str(kept))}"

    def play() -> bool:
        shell(world, script)
        return True

    wait_until("somebody has an account and is signed in", play, PATIENCE_SECONDS)  # what the tests before stopped may still be starting
    return kept


@pytest.mark.parametrize("journey", PLAYED)
def test_the_commands_work_as_they_stand(world: RunningStack, prepared: Path, journey: str) -> None:
    """No command of the page fails, and what the page says is to be seen is on the screen."""
    try:
        output = shell(world, f". {shlex.quote(str(prepared))}\n{PLAYED[journey]}")
    finally:
        world.need()
    missing = [word for word in SEEN.get(journey, ()) if word not in output]
    assert missing == [], output[-4000:]
