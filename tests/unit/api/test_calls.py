"""Voice calls over HTTP, with a stub in the place of the voice service's stages."""

import base64
from typing import Any

import httpx
import pytest

from app.core import error_tracking
from app.voice import work
from tests.support.backend import Backend
from tests.support.calls import StageStub

pytestmark = pytest.mark.anyio

SPEECH = {"speech": "a table  for four"}
RESERVATION: dict[str, Any] = {"task": "reservation", "details": {"people": "4", "at": "20:00"}}


async def _post(backend: Backend, path: str, body: Any = None, user: str = "ayse", **headers: str) -> httpx.Response:
    return await backend.http.post(path, json=body, headers={**await backend.sign_in(user), **headers})


async def _begin(backend: Backend, call_sid: str = "CA-1") -> str:
    answer = await _post(backend, "/api/calls", {"call_sid": call_sid})
    assert answer.status_code == 201
    return str(answer.json()["call_sid"])


@pytest.mark.req("J-12", "BIZ-01", "BIZ-02")
async def test_a_call_from_beginning_to_end(backend: Backend) -> None:
    """Begun, a turn understood and answered in words and sound, a task done, hung up; afterwards there is none."""
    StageStub().install(backend)
    call = f"/api/calls/{await _begin(backend)}"
    turn = (await _post(backend, f"{call}/turns", SPEECH)).json()
    assert (turn["call_sid"], turn["turn"], turn["transcript"]) == ("CA-1", 1, "A table for four")
    assert turn["reply"] == "".join(work.tokens_for("A table for four", 64))
    assert base64.b64decode(turn["audio"]) == work.synthesise(turn["reply"])
    assert set(turn["timings_ms"]) == {"asr", "llm_ttft", "llm", "tts", "end_to_end"}
    assert (await _post(backend, f"{call}/turns", SPEECH)).json()["turn"] == 2
    task = await _post(backend, f"{call}/tasks", RESERVATION)
    assert task.json() == {
        "call_sid": "CA-1",
        "task": "reservation",
        "confirmation": work.confirmation("reservation", "", RESERVATION["details"]),
    }
    ended = (await _post(backend, f"{call}/end")).json()
    assert (ended["call_sid"], ended["turns"]) == ("CA-1", 2)
    for path in ("turns", "tasks", "end"):
        assert (await _post(backend, f"{call}/{path}", {"turns": SPEECH, "tasks": RESERVATION}.get(path))).status_code == 404


@pytest.mark.req("LOG-02", "TRC-07", "C-02", "PRV-01")
async def test_every_record_of_a_call_has_its_id_and_none_has_what_was_said(backend: Backend) -> None:
    """From the request's first record to its last; texts and details are in none."""
    StageStub().install(backend)
    await _begin(backend, "CA-2")
    for place, (path, body) in enumerate({"turns": SPEECH, "tasks": RESERVATION, "end": None}.items()):
        await _post(backend, f"/api/calls/CA-2/{path}", body, **{"X-Event-ID": f"step{place}"})
        records = backend.records(f"step{place}")
        assert {record.get("call_sid") for record in records} == {"CA-2"}
        assert {record["event"] for record in records} >= {"http.request.started", "http.request.completed"}
        for said in ("four", "20:00", "You said"):
            assert said not in str(records)
    stages = [record["stage"] for record in backend.records("step0") if record["event"] == "call.stage_completed"]
    assert stages == ["asr", "llm", "tts"]
    assert "call_sid" not in str([record for record in backend.records() if str(record.get("path")).startswith("/health")])


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (None, "CA-h", "CA-h"),
        ({"call_sid": "CA-b"}, None, "CA-b"),
        ({"call_sid": "CA-x"}, "CA-x", "CA-x"),
        ({}, None, None),
        (None, None, None),
    ],
)
async def test_the_id_is_given_or_made(backend: Backend, body: Any, header: str | None, expected: str | None) -> None:
    """In the header, in the body, or nowhere."""
    answer = await _post(backend, "/api/calls", body, **({"X-Call-SID": header} if header else {}))
    assert answer.status_code == 201
    made = answer.json()["call_sid"]
    assert made == expected if expected else len(made) == 34
    assert backend.record(answer.headers["X-Request-ID"], "http.request.completed")["call_sid"] == made


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize(
    ("path", "body", "header"),
    [
        ("", {"call_sid": "a b"}, None),
        ("", {"call_sid": "4111111111111111"}, None),
        ("", None, "sk_live_abcdefgh12345678"),
        ("", {"call_sid": ""}, None),
        ("", {"call_sid": "x" * 65}, None),
        ("", {"call_sid": "CA\n"}, None),
        ("", None, "x y"),
        ("", None, "x" * 65),
        ("", {"call_sid": "CA-1"}, "CA-2"),
        ("", [], None),
        (f"/{'x' * 65}/end", None, None),
        ("/CA-3/turns", {"speech": ""}, None),
        ("/CA-3/turns", {"speech": "  "}, None),
        ("/CA-3/turns", {"speech": "x" * 1001}, None),
        ("/CA-3/turns", {}, None),
        ("/CA-3/tasks", {"task": "world_peace"}, None),
        ("/CA-3/tasks", {"task": "reservation", "details": {"at": 8}}, None),
        ("/CA-3/tasks", {"task": "reservation", "details": {str(number): "" for number in range(11)}}, None),
    ],
)
async def test_bad_parameters_are_400(backend: Backend, path: str, body: Any, header: str | None) -> None:
    """Malformed ids, texts and tasks are refused before anything is asked."""
    stub = StageStub().install(backend)
    answer = await _post(backend, f"/api/calls{path}", body, **({"X-Call-SID": header} if header else {}))
    assert answer.status_code == 400
    assert set(answer.json()) >= {"detail", "request_id"}
    assert stub.seen == []


@pytest.mark.parametrize("path", ["", "/CA-4/turns", "/CA-4/tasks", "/CA-4/end"])
async def test_a_call_needs_a_token(backend: Backend, path: str) -> None:
    """401 without one."""
    assert (await backend.http.post(f"/api/calls{path}", json=SPEECH | RESERVATION)).status_code == 401


async def test_a_call_is_its_users_own(backend: Backend) -> None:
    """Somebody else's call is answered as if there were none; its id is taken all the same."""
    StageStub().install(backend)
    await _begin(backend, "CA-5")
    assert (await _post(backend, "/api/calls/CA-5/turns", SPEECH, user="mehmet")).status_code == 404
    assert (await _post(backend, "/api/calls/CA-5/end", user="mehmet")).status_code == 404
    assert (await _post(backend, "/api/calls", {"call_sid": "CA-5"}, user="mehmet")).status_code == 409


async def test_too_many_calls_are_429(backend: Backend) -> None:
    """With a hint when to come back."""
    StageStub().install(backend, call_max_active=1)
    await _begin(backend, "CA-6")
    answer = await _post(backend, "/api/calls")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")


FAILURES = [
    ("/asr", TimeoutError(), 502, "timeout", "asr"),
    ("/llm", TimeoutError(), 502, "timeout", "llm"),
    ("/tts", httpx.Response(500), 502, "http_500", "tts"),
    ("/llm", httpx.Response(529, json={"code": "no_gpu"}), 502, "no_gpu", "llm"),
    ("/llm", httpx.Response(400), 502, "http_400", "llm"),
    ("/asr", httpx.Response(200, content=b"<html>"), 502, "bad_answer", "asr"),
    ("/asr", httpx.ConnectError("refused"), 503, "unreachable", "asr"),
    ("/tts", httpx.ConnectTimeout("slow"), 503, "connect_timeout", "tts"),
]


@pytest.mark.req("ERR-06", "ERR-09", "COR-15")
@pytest.mark.parametrize(("path", "broken", "status", "code", "stage"), FAILURES)
async def test_a_failing_stage_is_502_with_its_code_and_one_that_is_away_503(
    backend: Backend, path: str, broken: Any, status: int, code: str, stage: str
) -> None:
    """The answer says what; the WARNING says which stage; the count has both; the call goes on."""
    stub = StageStub(broken={path: broken}).install(backend)
    call_sid = await _begin(backend, "CA-7")
    outcome = {"timeout": "timeout", "unreachable": "unreachable", "connect_timeout": "unreachable", "http_400": "refused"}.get(
        code, "failure"
    )
    before = await backend.metric("voice_stage_requests_total", stage=stage, outcome=outcome)
    answer = await _post(backend, f"/api/calls/{call_sid}/turns", SPEECH, **{"X-Event-ID": "f1"})
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (status, code, "f1")
    record = backend.record("f1", "call.stage_failed")
    assert (record["level"], record["stage"], record["outcome"], record["error_code"]) == ("WARNING", stage, outcome, code)
    assert record["call_sid"] == call_sid
    assert await backend.metric("voice_stage_requests_total", stage=stage, outcome=outcome) == before + 1
    stub.broken.clear()
    assert (await _post(backend, f"/api/calls/{call_sid}/turns", SPEECH)).status_code == 200


@pytest.mark.req("BIZ-02", "ALR-10", "J-11")
async def test_three_good_and_one_bad_reservation(backend: Backend) -> None:
    """3 successes and 1 failure; the failure's record has task, reason, call and trace."""
    stub = StageStub().install(backend)
    await _begin(backend, "CA-8")
    statuses = ("success", "failure")
    before = [await backend.metric("tasks_executed_total", task="reservation", status=status) for status in statuses]
    for place in range(4):
        stub.broken = {"/reserve": httpx.Response(503, json={"code": "calendar_down"})} if place == 3 else {}
        answer = await _post(backend, "/api/calls/CA-8/tasks", RESERVATION, **{"X-Event-ID": f"t{place}"})
        assert answer.status_code == (502 if place == 3 else 200)
    after = [await backend.metric("tasks_executed_total", task="reservation", status=status) for status in statuses]
    assert [now - was for was, now in zip(before, after, strict=True)] == [3, 1]
    record = backend.record("t3", "call.task_failed")
    assert (record["task"], record["outcome"], record["reason"], record["call_sid"]) == ("reservation", "failure", "calendar_down", "CA-8")
    assert len(record["trace_id"]) == 32


async def test_a_refused_task_is_409_with_the_reason(backend: Backend) -> None:
    """No table is free: that is no fault of a server, but a failed task."""
    StageStub(broken={"/reserve": httpx.Response(409, json={"code": "fully_booked"})}).install(backend)
    await _begin(backend, "CA-9")
    before = await backend.metric("tasks_executed_total", task="reservation", status="failure")
    answer = await _post(backend, "/api/calls/CA-9/tasks", RESERVATION, **{"X-Event-ID": "no"})
    assert (answer.status_code, answer.json()["code"]) == (409, "fully_booked")
    assert backend.record("no", "call.task_failed")["reason"] == "fully_booked"
    assert await backend.metric("tasks_executed_total", task="reservation", status="failure") == before + 1


@pytest.mark.req("SEB-18")
async def test_time_outs_of_a_stage_are_one_issue(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reported under one text without values, once each, also where 5xx answers are reported by themselves."""
    reported: list[str] = []
    monkeypatch.setattr(error_tracking, "capture_message", lambda text, **_: reported.append(text))
    monkeypatch.setattr(error_tracking, "is_reported_status", lambda status: status >= 500)
    StageStub(broken={"/llm": TimeoutError()}).install(backend)
    await _begin(backend, "CA-10")
    for _ in range(2):
        await _post(backend, "/api/calls/CA-10/turns", SPEECH)
    assert reported == ["The llm stage of the voice service exceeded its time limit"] * 2


async def test_the_counters_of_calls_are_born_at_zero(backend: Backend) -> None:
    """Every label set is there before the first call, so that the first failure raises an alert."""
    text = (await backend.http.get("/metrics")).text
    for task in ("reservation", "cancellation", "callback"):
        for status in ("success", "failure"):
            assert (
                f'tasks_executed_total{{status="{status}",task="{task}"}}' in text
                or f'tasks_executed_total{{task="{task}",status="{status}"}}' in text
            )
    for name in (
        "calls_total",
        "calls_ended_total",
        "call_duration_seconds_count",
        "end_to_end_turn_duration_ms_bucket",
        "voice_stage_requests_total",
    ):
        assert f"\n{name}" in text
