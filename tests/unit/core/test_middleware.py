"""One id on everything, exactly one terminal record, true metrics: for answers, crashes, hangs and hang-ups."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from app.core import context, metrics
from app.core.config import Settings, load_settings
from app.core.kit import Observability
from app.core.logger import get_logger
from tests.support.asgi import run, sample, service
from tests.support.chat import eventually
from tests.support.records import listen_alone, spooled

log = get_logger("tests.handlers")
TERMINAL = {"http.request.completed", "http.request.failed", "http.request.cancelled", "http.request.timed_out"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A service with a spool of its own."""
    return load_settings(spool_dir=tmp_path, log_stdout=False, health_interval_seconds=600)


def impatient(settings: Settings) -> Settings:
    """The same with a short time limit for requests."""
    return settings.model_copy(update={"request_timeout_seconds": 0.3})


def make_app() -> FastAPI:
    """Handlers that end in every way."""
    app = FastAPI()

    @app.get("/ok/{item}")
    async def ok(item: str, request: Request) -> dict[str, str]:
        log.info("Deep inside")
        return {"item": item, "state": request.state.correlation_id}

    @app.get("/sync")
    def sync() -> str:
        log.info("In a thread")
        return "fine"

    @app.get("/crash")
    async def crash() -> None:
        raise ZeroDivisionError("division by zero")

    @app.get("/crash-late")
    async def crash_late() -> StreamingResponse:
        async def parts() -> Any:
            yield b"first"
            raise RuntimeError("broken off")

        return StreamingResponse(parts())

    @app.get("/status/{code}")
    async def status(code: int) -> Response:
        if code == 204:
            return Response(status_code=204)
        raise HTTPException(code, "as asked")

    @app.get("/hang")
    async def hang() -> None:
        log.info("After validation")
        await asyncio.sleep(60)

    @app.post("/echo")
    async def echo(request: Request, jobs: BackgroundTasks) -> dict[str, Any]:
        body = await request.body()
        jobs.add_task(lambda: log.info("In the background"))
        return {"size": len(body), "id": context.request_id()}

    @app.websocket("/ws")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            if text == "crash":
                raise ValueError("in a socket")
            log.info("A message", bytes=len(text))
            await socket.send_text(text)

    return app


def play(settings: Settings, *calls: tuple[str, str, dict[str, str]]) -> list[httpx.Response]:
    """Send requests one after the other and give back the answers."""

    async def work() -> list[httpx.Response]:
        async with service(settings, make_app()) as client:
            return [await client.request(method, path, headers=headers) for method, path, headers in calls]

    answers: list[httpx.Response] = run(work())
    return answers


def of(settings: Settings, request_id: str) -> list[dict[str, Any]]:
    """The records of one request."""
    assert settings.spool_dir is not None
    return [record for record in spooled(settings.spool_dir) if record.get("request_id") == request_id]


@pytest.mark.req("COR-03", "COR-04", "COR-05", "COR-07", "COR-16", "LOG-13", "LOG-15")
def test_every_record_of_a_request_has_its_id_method_and_path(settings: Settings) -> None:
    """Start, handler and end share the client's id without the handler's doing; the answer echoes it."""
    (answer,) = play(settings, ("GET", "/ok/1", {"X-Event-ID": "abc123"}))
    assert answer.headers["x-request-id"] == answer.headers["x-event-id"] == "abc123"
    assert answer.json()["state"] == "abc123"
    records = of(settings, "abc123")
    assert [record["event"] if "event" in record else record["message"] for record in records] == [
        "http.request.started",
        "Deep inside",
        "http.request.completed",
    ]
    assert all((record["method"], record["path"]) == ("GET", "/ok/1") for record in records)
    assert records[-1]["endpoint"] == "/ok/{item}"
    assert records[-1]["duration_ms"] > 0


@pytest.mark.req("COR-23", "ERR-01")
def test_a_client_that_hangs_up_while_it_sends_is_no_fault_of_ours(settings: Settings) -> None:
    """A handler waits for a body of which the rest never comes: cancelled by the client, no 500, no ERROR."""
    head = {"type": "http", "method": "POST", "path": "/echo", "raw_path": b"/echo", "query_string": b"", "root_path": "", "scheme": "http"}
    arriving = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def work() -> None:
        app = make_app()
        obs = Observability("app", settings)
        obs.install(app)

        async def receive() -> Any:
            return arriving.pop(0) if arriving else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        async with obs.running():
            await app({**head, "headers": [(b"x-event-id", b"hung-up")], "server": ("s", 1), "client": ("c", 2)}, receive, send)

    run(work())
    last = of(settings, "hung-up")[-1]
    assert (last["event"], last["outcome"], last["reason"], last["level"]) == (
        "http.request.cancelled",
        "cancelled",
        "client_gone",
        "WARNING",
    )
    assert sent == []


@pytest.mark.req("LOG-13", "COR-16")
def test_the_end_of_a_request_is_the_same_record_in_a_service_and_under_a_test_runner(settings: Settings) -> None:
    """In a service it is a prepared line, where others listen too a record like any other: the same fields in the same order."""
    play(settings, ("GET", "/ok/1", {"X-Event-ID": "company"}), ("GET", "/status/204", {"X-Event-ID": "company-204"}))
    listen_alone()
    play(settings, ("GET", "/ok/1", {"X-Event-ID": "by-self"}), ("GET", "/status/204", {"X-Event-ID": "by-self-204"}))
    for of_all, of_service in (("company", "by-self"), ("company-204", "by-self-204")):
        usual, quick = of(settings, of_all)[-1], of(settings, of_service)[-1]
        assert list(usual) == list(quick)
        changing = {"timestamp", "request_id", "trace_id", "span_id", "duration_ms"}
        assert {name: value for name, value in usual.items() if name not in changing} == {
            name: value for name, value in quick.items() if name not in changing
        }


@pytest.mark.req("COR-03", "COR-23", "ERR-08", "LOG-30")
@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/ok/1", 200, "INFO"),
        ("/status/204", 204, "INFO"),
        ("/status/401", 401, "INFO"),
        ("/nowhere", 404, "INFO"),
        ("/crash", 500, "ERROR"),
        ("/status/503", 503, "ERROR"),
    ],
)
def test_every_answer_carries_the_id_and_only_server_errors_are_errors(settings: Settings, path: str, status: int, level: str) -> None:
    """Header always, body of errors too; a 404 is no ERROR record, a 500 is; no internals in the body."""
    (answer,) = play(settings, ("GET", path, {"X-Request-ID": "r-1"}))
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == "r-1"
    if status >= 400:
        assert answer.json()["request_id"] == "r-1"
        assert "division" not in answer.text
    terminal = [record for record in of(settings, "r-1") if record.get("event") in TERMINAL]
    assert [record["level"] for record in terminal] == [level]


@pytest.mark.req("LOG-23", "HTM-03", "HTM-04", "HTM-10", "TST-10")
def test_a_crash_is_one_terminal_record_and_counts_as_500(settings: Settings) -> None:
    """The unhandled exception is in the one terminal record, in the counters and in the histogram."""
    before = sample("http_requests_total", method="GET", endpoint="/crash", status_code="500")
    errors = sample("http_requests_errors_total", method="GET", endpoint="/crash", status_code="500")
    kinds = sample("http_exceptions_total", endpoint="/crash", exception_type="ZeroDivisionError")
    timed = sample("http_request_duration_seconds_count", endpoint="/crash")
    play(settings, ("GET", "/crash", {"X-Event-ID": "c1"}))
    terminal = [record for record in of(settings, "c1") if record.get("event") in TERMINAL]
    assert [(record["outcome"], record["error_type"]) for record in terminal] == [("failed", "ZeroDivisionError")]
    assert sample("http_requests_total", method="GET", endpoint="/crash", status_code="500") == before + 1
    assert sample("http_requests_errors_total", method="GET", endpoint="/crash", status_code="500") == errors + 1
    assert sample("http_exceptions_total", endpoint="/crash", exception_type="ZeroDivisionError") == kinds + 1
    assert sample("http_request_duration_seconds_count", endpoint="/crash") == timed + 1


@pytest.mark.req("LOG-23")
def test_a_hang_after_validation_ends_in_504_and_one_terminal_record(settings: Settings) -> None:
    """No silent gap: the request is cancelled at its time limit, answered and recorded."""
    (answer,) = play(impatient(settings), ("GET", "/hang", {"X-Event-ID": "h1"}))
    assert answer.status_code == 504
    assert answer.json()["request_id"] == "h1"
    assert [record["event"] for record in of(settings, "h1") if record.get("event") in TERMINAL] == ["http.request.timed_out"]


@pytest.mark.req("LOG-23")
def test_a_cancelled_request_leaves_its_terminal_record(settings: Settings) -> None:
    """When the server gives a request up (shutdown, hang-up), it says so, and the cancellation goes on."""

    async def work() -> None:
        async with service(settings, make_app()) as client:
            call = asyncio.create_task(client.get("/hang", headers={"X-Event-ID": "x1"}))
            await eventually(
                "the handler being at work", lambda: "After validation" in [record["message"] for record in of(settings, "x1")]
            )
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(work())
    assert [record["event"] for record in of(settings, "x1") if record.get("event") in TERMINAL] == ["http.request.cancelled"]


@pytest.mark.req("LOG-23")
def test_a_crash_in_the_middle_of_an_answer_is_recorded_as_failed(settings: Settings) -> None:
    """The status that went out can't be taken back; the record says what happened, and the server hears of it to break off."""
    with pytest.raises(RuntimeError, match="broken off"):
        play(settings, ("GET", "/crash-late", {"X-Event-ID": "l1"}))
    (terminal,) = [record for record in of(settings, "l1") if record.get("event") in TERMINAL]
    assert (terminal["outcome"], terminal["status_code"], terminal["error_type"]) == ("failed", 500, "RuntimeError")


@pytest.mark.req("COR-06", "COR-04")
def test_concurrent_requests_never_mix(settings: Settings) -> None:
    """200 requests at once, bodies, threads and background tasks included: each id's records are complete and its own."""

    async def work() -> None:
        async with service(settings, make_app()) as client:

            async def one(place: int) -> None:
                headers = {"X-Event-ID": f"id-{place}"}
                if place % 3 == 0:
                    answer = await client.post("/echo", headers=headers, content=b"z" * 30_000)
                    assert answer.json()["id"] == f"id-{place}"
                else:
                    answer = await client.get("/sync" if place % 3 == 1 else f"/ok/{place}", headers=headers)
                assert answer.headers["x-request-id"] == f"id-{place}"

            await asyncio.gather(*(one(place) for place in range(200)))

    run(work())
    for place in range(200):
        records = of(settings, f"id-{place}")
        assert len(records) == 3, place
        assert {record["path"] for record in records} == {["/echo", "/sync", f"/ok/{place}"][place % 3]}
        assert len({record["trace_id"] for record in records}) == 1


@pytest.mark.req("COR-08")
def test_a_bad_id_is_replaced_warned_about_and_nowhere_to_be_seen(settings: Settings) -> None:
    """A new id in the answer, one warning that names the header, and no trace of the value."""
    (answer,) = play(settings, ("GET", "/ok/1", {"X-Event-ID": "evil value"}))
    ident = answer.headers["x-request-id"]
    records = of(settings, ident)
    assert [record["reason"] for record in records if record.get("event") == "http.request.id_rejected"] == ["x-event-id"]
    assert "evil" not in json.dumps(records) + str(answer.headers)


@pytest.mark.req("HTM-05")
def test_strangers_make_no_series(settings: Settings) -> None:
    """1,000 random paths and invented methods are one endpoint `unmatched` and one method OTHER."""

    async def work() -> None:
        async with service(settings, make_app()) as client:
            for place in range(1000):
                await client.request("GET" if place % 2 else f"M{place}", f"/random/{place}")

    before = _series()
    run(work())
    fresh = _series() - before
    assert {labels["endpoint"] for labels in map(dict, fresh)} <= {"unmatched"}
    assert {labels["method"] for labels in map(dict, fresh)} <= {"GET", "OTHER"}


def _series() -> set[tuple[tuple[str, str], ...]]:
    family = next(family for family in metrics.REGISTRY.collect() if family.name == "http_requests")
    return {tuple(sorted(found.labels.items())) for found in family.samples}


@pytest.mark.req("HTM-19", "HTM-06")
def test_probes_and_scrapes_are_not_traffic(settings: Settings) -> None:
    """/metrics and the health endpoints answer with and without slash, and leave the request counters alone."""

    async def work() -> None:
        async with service(settings, make_app()) as client:
            before = _series()
            for path in ("/metrics", "/metrics/", "/health", "/health/", "/health/live", "/health/ready", "/api/health"):
                assert (await client.get(path)).status_code == 200, path
            assert _series() == before

    run(work())


@pytest.mark.req("HTM-01", "HTM-02", "HTM-14")
def test_requests_are_counted_and_timed_by_template(settings: Settings) -> None:
    """Three calls raise one series by three; the edges of the histogram contain every limit."""
    before = sample("http_requests_total", method="GET", endpoint="/ok/{item}", status_code="200")
    play(settings, *(("GET", f"/ok/{place}", {}) for place in range(3)))
    assert sample("http_requests_total", method="GET", endpoint="/ok/{item}", status_code="200") == before + 3
    (family,) = (family for family in metrics.REGISTRY.collect() if family.name == "http_request_duration_seconds")
    edges = {float(found.labels["le"]) for found in family.samples if found.name.endswith("_bucket")}
    assert {0.01, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0} <= edges


def test_nothing_stays_in_progress(settings: Settings) -> None:
    """However requests end, the gauge comes back to zero."""
    play(impatient(settings), ("GET", "/ok/1", {}), ("GET", "/crash", {}), ("GET", "/hang", {}), ("GET", "/nowhere", {}))
    assert sample("http_requests_in_progress") == 0


@pytest.mark.req("LOG-13")
def test_the_start_record_can_be_left_out(settings: Settings) -> None:
    """LOG_REQUEST_START=false halves the request records."""
    play(settings.model_copy(update={"log_request_start": False}), ("GET", "/ok/1", {"X-Event-ID": "s1"}))
    assert "http.request.started" not in [record.get("event") for record in of(settings, "s1")]


@pytest.mark.req("COR-12", "WSC-02", "WSC-03", "WSC-06")
@pytest.mark.parametrize(("texts", "outcome", "code"), [(["one", "two"], "completed", 1000), (["crash"], "failed", 1011)])
def test_a_websocket_has_its_id_on_every_record_and_the_gauge_is_true(
    settings: Settings, texts: list[str], outcome: str, code: int
) -> None:
    """Opened, messages and closed share the handshake's id; the gauge is back at zero after an end of any kind."""

    async def work() -> None:
        app = make_app()
        async with service(settings, app):
            incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            sent: list[dict[str, Any]] = []
            scope = {"type": "websocket", "path": "/ws", "headers": [(b"x-event-id", b"ws1")], "query_string": b"", "app": app}
            arriving: list[dict[str, Any]] = [{"type": "websocket.receive", "text": text} for text in texts]
            for message in [{"type": "websocket.connect"}, *arriving, {"type": "websocket.disconnect", "code": 1000}]:
                incoming.put_nowait(message)

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            try:
                await app(scope, incoming.get, send)  # type: ignore[arg-type]
            except ValueError:
                assert outcome == "failed"
            assert (b"x-request-id", b"ws1") in sent[0]["headers"]

    run(work())
    records = of(settings, "ws1")
    assert records[0]["event"] == "websocket.opened"
    assert (records[-1]["event"] if outcome == "completed" else records[-2]["event"]) == "websocket.closed"
    closed = next(record for record in records if record.get("event") == "websocket.closed")
    assert (closed["outcome"], closed["close_code"]) == (outcome, code)
    assert len([record for record in records if record["message"] == "A message"]) == len([text for text in texts if text != "crash"])
    assert sample("websocket_active_connections") == 0


@pytest.mark.req("COR-01")
def test_context_never_outlives_its_request(settings: Settings, records: Callable[[], list[dict[str, Any]]]) -> None:
    """After a request the context is what it was before it."""
    context.bind(user_id="outer")
    play(settings, ("GET", "/ok/1", {}))
    assert context.current() == {"user_id": "outer"}
