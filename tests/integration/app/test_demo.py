"""The traffic generator against real services."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.core.ports import PORTS, local_url
from tests.support.processes import STOP_SECONDS, Service, bare_environment, free_offset_of
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

PLAY = "import sys\nfrom app.stack.demo import run\nrun(sys.argv[1], rate=float(sys.argv[2]), minutes=float(sys.argv[3]))"


def _play(folder: Path, offset: int, scenario: str, rate: float, minutes: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PLAY, scenario, str(rate), str(minutes)]
    env = bare_environment(STACK_PORT_OFFSET=str(offset), ENVIRONMENT="test")
    return subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_sends_lifelike_traffic_and_ends_with_ids_to_look_at(start: StartService, tmp_path: Path) -> None:
    """Feed, posts, suggestions, dead links, nonsense and crashes arrive; the ids at the end are ids in the log."""
    offset = free_offset_of("app", "voice")
    start("voice", port=PORTS["voice"] + offset, VOICE_LATENCY_SECONDS="0")
    app = start("app", port=PORTS["app"] + offset, VOICE_URL=local_url("voice", offset))
    output, errors = _play(tmp_path, offset, "trouble", 40, 0.25).communicate(timeout=240)
    assert errors == ""
    seen = {
        (record["endpoint"], record["status_code"]) for record in app.records() if str(record.get("event")).startswith("http.request.c")
    }
    assert {("/feed", 200), ("/feed", 400), ("/posts", 201), ("/suggest", 200), ("unmatched", 404)} <= seen
    assert any(record.get("event") == "http.request.failed" for record in app.records())
    ids = re.findall(r"nobet story (\S+)", output)
    assert ids
    known = {str(record.get(name)) for record in app.records() for name in ("request_id", "call_sid")}
    assert set(ids) <= known
    assert re.search(r"\d+ requests  .*2xx \d+.*5xx \d+.*p95 \d+ ms", output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_order_with_the_knobs_put_back(
    start: StartService, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a trouble, the suggestion service is left as it was found."""
    offset = free_offset_of("app", "voice")
    voice = start("voice", port=PORTS["voice"] + offset, VOICE_FAILURE_SHARE="0.01")
    start("app", port=PORTS["app"] + offset, VOICE_URL=local_url("voice", offset))

    def knobs() -> object:
        return httpx.get(f"{voice.url}/admin/knobs", trust_env=False).json()

    before = knobs()
    process = _play(tmp_path, offset, "trouble", 5, 5)
    wait_until("trouble has come", lambda: knobs() != before, 120)
    process.send_signal(number)
    output, errors = process.communicate(timeout=2 * STOP_SECONDS)
    assert (process.returncode, errors) == (0, "")
    assert knobs() == before
    assert "nobet story" in output


def test_without_an_application_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    """Not zero, and what to do."""
    process = _play(tmp_path, free_offset_of("app", "voice"), "calm", 1, 1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Nothing answers" in errors
    assert "make up" in errors
