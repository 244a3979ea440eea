"""FAULTS 18, 15 and 16 on the running app: workers that die, and clients that send what no line can hold."""

import os
import random
import signal
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import httpx
import psutil
import pytest

from tests.support.backend import sample
from tests.support.load import Load
from tests.support.processes import Service
from tests.support.scale import sized
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

KILLS: Final = sized(4, 50)
SOON: Final = 60


def _counted(app: Service) -> float:
    """Requests of the feed that all workers together have counted; one that is cut off while it dies is asked again."""

    def ask() -> float:
        return sample(app.get("/metrics").raise_for_status().text, "http_requests_total", endpoint="/feed", method="GET", status_code="200")

    return wait_until("the metrics are answered", ask, SOON)


def _workers(app: Service) -> list[psutil.Process]:
    """The processes that serve, without helpers that begin and end with them."""
    return [child for child in psutil.Process(app.pid).children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.req("HTM-18")
def test_counters_never_fall_when_workers_are_killed_under_load(start: StartService) -> None:
    """Kill -9 of one worker after the other: counters only rise and hold every answered request, the gauge ends at 0, files stay few."""
    app = start("app", workers=2)
    chance = random.Random(18)
    folder = app.spool.parent
    seen: list[float] = []
    files: list[int] = []
    with Load(app.url, "deaths") as load:
        for _ in range(KILLS):
            wait_until("both workers are there", lambda: len(_workers(app)) == 2, SOON)
            goal = len(load.answered) + 30
            wait_until("requests are answered", lambda: len(load.answered) > goal, SOON)  # noqa: B023 (asked at once)
            seen.append(_counted(app))
            os.kill(chance.choice(_workers(app)).pid, signal.SIGKILL)
            seen.append(_counted(app))
            files.append(len(list(folder.rglob("*.db"))))
    wait_until("both workers are there", lambda: len(_workers(app)) == 2, SOON)
    seen.append(_counted(app))
    assert all(earlier <= later for earlier, later in pairwise(seen)), seen
    # A worker counts a request when its answer is out: of each that was killed, those under way may be missing.
    assert seen[-1] >= len(load.answered) - KILLS * 8
    assert max(files) <= files[0] + 8, "a dead worker's files are folded into one"

    def in_progress() -> float:
        return sample(app.get("/metrics").text, "http_requests_in_progress")

    wait_until("nothing is in progress but the question itself", lambda: in_progress() <= 1, SOON)
    assert {status for status in load.statuses if status} == {200}


ODD_AGENTS: Final = [
    b"\x1b[31mred\x1b[0m",
    b'curl"}\\n{"timestamp":"2026-01-01T00:00:00.000000Z","level":"ERROR","message":"forged"}',
    b"\xe2\x80\xae reversed \xff\xfe",
    b"x" * 20_000,
]
ODD_IDS: Final = [b"y" * 60_000, b"a b", b"caf\xc3\xa9", b'"},{"', b"\x1b]0;title\x07", b"a;b"]


@pytest.mark.req("COR-08", "SMP-06")
def test_what_clients_send_stays_inside_one_escaped_line(start: StartService) -> None:
    """Terminal codes, forged JSON and broken UTF-8 in agent, path and id: no forged record, no control byte, no odd id echoed or logged."""
    app = start("app")
    with httpx.Client(base_url=app.url, trust_env=False, timeout=30) as client:
        for agent in ODD_AGENTS:
            client.get("/feed", headers=[(b"user-agent", agent)])
            client.get("/nowhere/%0a%1b%5b31m%7b%22timestamp%22", headers=[(b"user-agent", agent)])
        for ident in ODD_IDS:
            for name in (b"x-event-id", b"x-request-id"):
                answer = client.get("/feed", headers=[(name, ident)])
                echoed = answer.headers.get("x-request-id", "") + answer.headers.get("x-event-id", "")
                assert ident.decode("latin-1") not in echoed
        repeated = client.get("/feed", headers=[(b"x-request-id", b"first-one"), (b"x-request-id", b"other-one")])
        last = client.get("/feed", headers={"X-Event-ID": "last"})
    assert last.headers["x-request-id"] == "last"
    records = app.records("last")
    assert records
    raw = b"".join(path.read_bytes() for path in app.spool.glob("*.ndjson"))
    assert not [byte for byte in set(raw) if byte < 0x20 and byte != 0x0A], "control characters are escaped"
    assert all(line.startswith(b'{"timestamp":"20') and line.endswith(b"}") for line in raw.splitlines())
    assert not [record for record in app.records() if record["message"] == "forged"]
    assert not [ident for ident in ODD_IDS if len(ident) > 10 and ident in raw]
    assert repeated.headers["x-request-id"] not in ("first-one", "other-one")
