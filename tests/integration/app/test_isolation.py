"""FAULTS 19: whatever happens at once on one server, nothing stands under another's id: no record, no span, no error event."""

import asyncio
import secrets
from collections import Counter
from pathlib import Path

import pytest

from app.core.config import load_settings
from app.domain.tokens import issue
from tests.support.isolation import IsolationService, Wire, leaks, mixed_traces
from tests.support.otlp_sink import OtlpSink
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

SECRET = secrets.token_urlsafe(32)
SOCKETS = 200
CONNECTIONS = 50
POSTS_EACH = 4
MESSAGES = 3
AT_ONCE = 50
"""Uploads at once; the WebSockets are all open at the same time."""


class Traffic:
    """What was sent, under which ids."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._places = asyncio.Semaphore(AT_ONCE)
        self._settings = load_settings(_env_file=None, environment="test", jwt_secret=SECRET)
        self._everybody = asyncio.Barrier(SOCKETS)
        self.posts: list[str] = []
        self.faults: list[str] = []
        self.owners: dict[str, str] = {}
        self.sockets: list[str] = []
        self.made: list[str] = []

    async def run(self) -> None:
        """All of it, at the same time."""
        talkers = [self._talk(number) for number in range(SOCKETS)]
        await asyncio.gather(*talkers, *(self._upload(number) for number in range(CONNECTIONS)))

    async def _post(self, wire: Wire, truth: str) -> None:
        async with self._places:
            status = await wire.post(truth)
        assert status == (500 if truth.endswith("-fault") else 200), truth
        self.posts.append(truth)
        if truth.endswith("-fault"):
            self.faults.append(truth)

    async def _upload(self, number: int) -> None:
        wire = await Wire(self._port).open()
        for turn in range(POSTS_EACH):
            await self._post(wire, f"up-{number}-{turn}{'-fault' if number % 10 == turn else ''}")
        await wire.close()

    async def _talk(self, number: int) -> None:
        """A POST and then a WebSocket on the same connection; every second one brings no id of its own."""
        wire = await Wire(self._port).open()
        await self._post(wire, f"before-{number}")
        user, wanted = f"user-{number}", f"ws-{number}" if number % 2 else None
        ident = await wire.upgrade(issue(self._settings, user), wanted)
        assert wanted in (None, ident)
        await wire.say(type="hello")
        greeting = await wire.hear()
        assert greeting["request_id"] == ident
        self.owners |= {user: ident, greeting["chat_id"]: ident}
        (self.sockets if wanted else self.made).append(ident)
        await self._everybody.wait()
        for place in range(MESSAGES):
            await wire.say(type="message", id=str(place), text="x" * 3000)
            assert (await wire.hear())["type"] == "ack"
        await wire.close()


@pytest.mark.req("COR-06", "COR-12", "WSC-03", "COR-04", "TRC-03")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_stands_under_another_id(tmp_path: Path, loop: str) -> None:
    """200 WebSockets on connections that carried 300 kB POSTs before, 400 such POSTs, threads, tasks and faults, on both event loops."""
    with OtlpSink() as spans, SentrySink() as events:
        service = IsolationService(
            tmp_path, loop, JWT_SECRET=SECRET, OTEL_EXPORTER_OTLP_ENDPOINT=spans.endpoint, SENTRY_DSN=events.dsn, TRACE_SAMPLE_RATE="1"
        )
        with service:
            traffic = Traffic(service.port)
            asyncio.run(traffic.run())
            closed = ("websocket.closed", SOCKETS)
            wait_until("all sockets' ends are recorded", lambda: _count(service)[closed[0]] == closed[1], 90)
            wait_until("all tasks' records are there", lambda: _count(service)["In task"] == len(traffic.posts), 90)
            wait_until("all events arrive", lambda: sum(len(events.of(fault)) for fault in traffic.faults) == len(traffic.faults), 90)
        records = service.records()
    assert leaks(records, traffic.owners) == []
    assert mixed_traces(records, spans.spans) == []
    known = {*traffic.posts, *traffic.sockets, *traffic.made}
    assert len(known) == len(traffic.posts) + SOCKETS
    of = Counter((record["request_id"], record.get("event", record["message"])) for record in records if record.get("request_id") in known)
    for ident in traffic.posts:
        ends = ["http.request.failed"] if ident in traffic.faults else ["http.request.completed", "In background"]
        for event in ("http.request.started", "In thread", "In task", *ends):
            assert of[ident, event] == 1, (ident, event)
    for ident in (*traffic.sockets, *traffic.made):
        expected = {"websocket.opened": 1, "chat.joined": 1, "chat.message.received": MESSAGES, "websocket.closed": 1}
        assert {event: of[ident, event] for event in expected} == expected, ident
    for told in events.events:
        said = str(told.get("exception", {}).get("values", [{}])[-1].get("value", ""))
        assert said == f"fault of {told['tags']['event_id']}"
    assert len({span.trace_id for span in spans.spans}) >= len(known)


def _count(service: IsolationService) -> Counter[str]:
    return Counter(str(record.get("event", record["message"])) for record in service.records())


@pytest.mark.req("COR-06")
def test_the_same_traffic_shows_the_leak_where_the_context_is_not_cleared(tmp_path: Path) -> None:
    """The control: without clear-and-rebind, on the asyncio loop, requests begin with the id of another one, and the check finds them."""

    async def work(port: int) -> None:
        async def upload(number: int) -> None:
            wire = await Wire(port).open()
            for turn in range(POSTS_EACH):
                await wire.post(f"up-{number}-{turn}")
            await wire.close()

        await asyncio.gather(*(upload(number) for number in range(10)))

    with IsolationService(tmp_path, "asyncio", leaky=True, JWT_SECRET=SECRET) as service:
        asyncio.run(work(service.port))
        wait_until("all tasks' records are there", lambda: _count(service)["In task"] == 10 * POSTS_EACH, 90)
        assert leaks(service.records(), {})
