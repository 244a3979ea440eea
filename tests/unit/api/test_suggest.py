"""POST /suggest, with a stub in the place of the suggestion service where it has to misbehave."""

from typing import Any

import httpx
import pytest

from app.core import error_tracking
from tests.support.backend import Backend

pytestmark = pytest.mark.anyio

WANTED = {"user_id": "42", "topic": "dinner", "count": 2}


async def _suggest(backend: Backend, event_id: str = "s1") -> httpx.Response:
    return await backend.http.post("/suggest", json=WANTED, headers={"X-Event-ID": event_id})


def _failing(status: int, body: Any) -> Any:
    return lambda _request: httpx.Response(status, json=body)


def _slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


def _away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.req("COR-15", "TRC-03")
async def test_the_question_goes_on_with_id_and_trace(backend: Backend) -> None:
    """The service gets our request id and our trace id, and its suggestions come back."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"suggestions": ["soup", "bread"]})

    response = await _suggest(backend.voice_answers(answer))
    assert (response.status_code, response.json()) == (200, {"suggestions": ["soup", "bread"]})
    received = backend.record("s1", "suggestion.received")
    assert (received["count"], received["user_id"]) == (2, "42")
    assert seen[0].headers["X-Request-ID"] == "s1"
    assert seen[0].headers["traceparent"].split("-")[1] == received["trace_id"]


@pytest.mark.req("ERR-06", "LOG-18", "J-06")
async def test_a_failure_is_502_and_a_warning_with_code_and_user(backend: Backend) -> None:
    """502 says that the suggestion service failed, and its code; the record is a WARNING with code and user."""
    response = await _suggest(backend.voice_answers(_failing(503, {"detail": "internal", "code": "model_overloaded"})))
    assert response.status_code == 502
    assert "suggestion service failed" in response.json()["detail"]
    assert (response.json()["code"], response.json()["request_id"]) == ("model_overloaded", "s1")
    warning = backend.record("s1", "suggestion.failed")
    assert (warning["level"], warning["error_code"], warning["user_id"]) == ("WARNING", "model_overloaded", "42")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"detail": "x"}, "http_500"),
        ({"code": 5}, "http_500"),
        ({"code": "two words\n"}, "http_500"),
        ([], "http_500"),
        ({"code": "x" * 99}, "x" * 64),
    ],
)
async def test_a_failure_without_a_usable_code_gets_one_from_its_status(backend: Backend, body: Any, code: str) -> None:
    """What the service sends is not trusted: odd codes are replaced, long ones cut."""
    assert (await _suggest(backend.voice_answers(_failing(500, body)))).json()["code"] == code


@pytest.mark.parametrize("body", [b"", b"{", b'{"suggestions": "soup"}', b"<html>"])
async def test_an_answer_that_cannot_be_read_is_a_failure(backend: Backend, body: bytes) -> None:
    """A 200 that is no answer is 502, not 500."""
    response = await _suggest(backend.voice_answers(lambda _request: httpx.Response(200, content=body)))
    assert (response.status_code, response.json()["code"]) == (502, "bad_answer")


@pytest.mark.req("ERR-06", "LOG-18", "J-06")
async def test_a_time_out_is_502_and_a_warning(backend: Backend) -> None:
    """502 with the code `timeout`, told apart in the log by its event."""
    response = await _suggest(backend.voice_answers(_slow))
    assert (response.status_code, response.json()["code"]) == (502, "timeout")
    assert backend.record("s1", "suggestion.timed_out")["level"] == "WARNING"


@pytest.mark.req("SEB-18", "LOG-18", "J-06")
async def test_time_outs_are_one_issue(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten time-outs of different requests: ten events with one fingerprint, also where 5xx answers are reported by themselves."""
    reported: list[object] = []
    monkeypatch.setattr(error_tracking, "capture_message", lambda _text, **more: reported.append(more["fingerprint"]))
    monkeypatch.setattr(error_tracking, "is_reported_status", lambda status: status >= 500)
    for number in range(10):
        backend.voice_answers(_slow)  # a fresh client, whose circuit is closed
        await backend.http.post("/suggest", json={"user_id": str(number), "topic": f"topic {number}"})
    assert len(reported) == 10
    assert set(reported) == {("processing-limit-exceeded",)}


@pytest.mark.req("ERR-09")
async def test_a_service_that_keeps_failing_is_left_alone_and_says_for_how_long(backend: Backend) -> None:
    """After five failures in a row 503 with `circuit_open` and Retry-After, without a call; told as a record and a metric."""
    calls: list[httpx.Request] = []

    def failing(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(500, json={})

    backend.voice_answers(failing)
    answers = [await _suggest(backend, f"c{number}") for number in range(7)]
    assert [answer.status_code for answer in answers] == [502] * 5 + [503] * 2
    assert (answers[-1].json()["code"], len(calls)) == ("circuit_open", 5)
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10
    opened = backend.record("c4", "circuit.opened")
    assert (opened["level"], opened["component"], opened["count"]) == ("WARNING", "voice", 5)
    assert await backend.metric("circuit_breaker_state", dependency="voice") == 2
    assert backend.record("c6", "suggestion.failed")["error_code"] == "circuit_open"


@pytest.mark.req("AUT-02")
async def test_the_user_of_a_token_counts_more_than_the_body(backend: Backend) -> None:
    """The service is asked for the token's user, and the records are his."""
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={"suggestions": []})

    backend.voice_answers(answer)
    headers = {**await backend.sign_in("7"), "X-Event-ID": "mine"}
    assert (await backend.http.post("/suggest", json=WANTED, headers=headers)).status_code == 200
    assert b'"user_id":"7"' in seen[0]
    assert backend.record("mine", "suggestion.received")["user_id"] == "7"


@pytest.mark.req("ERR-09")
async def test_a_service_that_is_away_is_503(backend: Backend) -> None:
    """503, and a WARNING with code and user."""
    response = await _suggest(backend.voice_answers(_away))
    assert (response.status_code, response.json()["code"]) == (503, "unreachable")
    assert backend.record("s1", "suggestion.failed")["outcome"] == "unreachable"


async def test_without_an_address_there_are_no_suggestions(backend: Backend) -> None:
    """With VOICE_URL empty the answer is 503, and health doesn't ask for the service."""
    response = await _suggest(backend)
    assert (response.status_code, response.json()["code"]) == (503, "not_configured")
    assert "voice" not in (await backend.http.get("/health")).json()["checks"]


@pytest.mark.req("BIZ-06")
async def test_calls_are_counted_by_outcome(backend: Backend) -> None:
    """Success, failure, time-out and absence each raise their own counter by one."""
    outcomes = ("success", "failure", "timeout", "unreachable")
    before = [await backend.metric("suggestions_total", outcome=outcome) for outcome in outcomes]
    for answer in (_failing(200, {"suggestions": []}), _failing(500, {}), _slow, _away):
        await _suggest(backend.voice_answers(answer))
    after = [await backend.metric("suggestions_total", outcome=outcome) for outcome in outcomes]
    assert [now - was for was, now in zip(before, after, strict=True)] == [1, 1, 1, 1]


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("change", [{"count": 0}, {"count": 11}, {"topic": ""}, {"user_id": "a b"}, {"user_id": None}])
async def test_a_bad_question_is_400_and_never_sent_on(backend: Backend, change: dict[str, Any]) -> None:
    """The service isn't bothered with it."""

    def answer(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("was asked")

    backend.voice_answers(answer)
    assert (await backend.http.post("/suggest", json=WANTED | change)).status_code == 400
