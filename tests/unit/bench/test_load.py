"""The load tool measures what it says, and its page says what was measured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.load import report
from bench.load.client import Load, Measured, quantile

pytestmark = [pytest.mark.anyio, pytest.mark.req("PRF-01", "PRF-03", "PRF-09", "PRF-16")]

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Answers:
    """A server that answers with a status, and once is silent for a while."""

    def __init__(self, status: bytes = b"200 OK", silence: float = 0.0) -> None:
        self.status = status
        self.silence = silence
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection. The answer comes in two pieces."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                silence, self.silence = self.silence, 0.0
                await asyncio.sleep(silence)
                writer.write(b"HTTP/1.1 " + self.status + b"\r\nContent-Length: 5\r\n\r\nhe")
                await writer.drain()
                writer.write(b"llo")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(answers: Answers) -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.start_server(answers.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_every_request_is_counted_once() -> None:
    """What the server was asked is what was measured; all connections were open at once."""
    answers = Answers()
    async with listening(answers) as port:
        for seconds, think in ((0.5, 0.05), (3, None)):
            before = answers.asked
            measured = await Load(port, 10, [REQUEST]).run(seconds, think)
            assert len(measured.totals) == len(measured.first_bytes) == answers.asked - before > 10
            assert (measured.errors, measured.most_open) == (0, 10)
            assert all(first <= total for first, total in zip(measured.first_bytes, measured.totals, strict=True))


async def test_a_server_that_stalls_can_not_hide_it() -> None:
    """Requests that were due during the silence count their waiting, although they were sent after it."""
    async with listening(Answers(silence=0.4)) as port:
        measured = await Load(port, 1, [REQUEST]).run(1.0, 0.02)
    assert len([seconds for seconds in measured.totals if seconds > 0.1]) > 3


async def test_refusals_are_errors_and_no_times() -> None:
    """A 503 is quick, and must not look like a good answer."""
    async with listening(Answers(b"503 Service Unavailable")) as port:
        measured = await Load(port, 2, [REQUEST]).run(3, None)
    assert measured.totals == []
    assert measured.errors > 0
    assert measured.share_of_errors == 1.0


def test_quantiles_are_exact() -> None:
    """Of a hundred values the 95th is larger than 95 of them; without values it is 0."""
    values = [float(number) for number in range(100)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.99)) == (50.0, 95.0, 99.0)
    assert quantile([], 0.5) == 0.0
    assert Measured().share_of_errors == 0.0


def _found() -> dict[str, Any]:
    """A run as the tool keeps it."""
    run = {"requests": 1000, "per_second": 200.0, "error_share": 0.0, "server_cpu_seconds": 2.0, "ttfb_p50_ms": 3.0, "ttfb_p95_ms": 4.0}
    times = {"p50_ms": 12.0, "p95_ms": 34.0, "p99_ms": 56.0}
    ways = [(variant, mode) for variant in ("on", "off") for mode in ("paced", "saturated")]
    return {
        "when": "2026-11-22T05:00:00+00:00",
        "machine": {"cores": 2, "processor": "a processor", "python": "3.11"},
        "settings": {"connections": 1000, "think": 5.0, "seconds": 30.0, "rounds": 3, "workers": 2, "trace_sample_rate": 0.1},
        "runs": [run | times | {"variant": variant, "mode": mode} for variant, mode in ways],
        "logging": {
            "records": 3000.0,
            "indexed": 3000,
            "bytes_per_record": 400.0,
            "records_per_request": 3.0,
            "index_bytes_per_record": 100.0,
            "index_bytes_per_event": None,
        },
    }


def test_the_page_has_the_figures_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured times stand in the table, three columns of users in the plan, and the text around them stays."""
    page = tmp_path / "sizing.md"
    marks = "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\nstays\n" for name in ("measured", "planning"))
    page.write_text(marks, encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    for _ in range(2):
        report.write_page(_found())
    text = page.read_text(encoding="utf-8")
    assert "| p95, ms | < 500 | 34 | 34 | 34 | 34 |" in text
    assert "| CPU of the app, ms a request | | 2.00 | 2.00 | 2.00 | 2.00 |" in text
    assert "| | 1,000 users | 10,000 users | 100,000 users |" in text
    assert "| log records a day | 30,000 | 300,000 | 3,000,000 |" in text
    assert "| log index, 90 days | 270 MB | 2.7 GB | 27 GB |" in text
    assert text.count("stays") == 2
    assert "old" not in text


def test_a_page_without_marks_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to put where."""
    page = tmp_path / "sizing.md"
    page.write_text("nothing", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    with pytest.raises(RuntimeError, match="<!-- measured -->"):
        report.write_page(_found())
    assert page.read_text(encoding="utf-8") == "nothing"
