"""A refused token: one answer, one record, one count, one message; never the token."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.deps import CurrentUserDep, OptionalUserDep
from app.core import error_tracking
from app.domain.tokens import issue
from tests.support.backend import Backend, running_backend
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

FORGED = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0NzExIiwicm9sZSI6ImFkbWluIn0.c2lnbmF0dXJlLW9mLXNvbWVib2R5LWVsc2U"
"""Says that it is of user 4711."""


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[SentrySink]:
    """A receiver of error events, which gets what waits at the end however busy the machine is."""
    monkeypatch.setattr(error_tracking, "SHUTDOWN_SECONDS", 60)
    with SentrySink() as receiver:
        yield receiver


@pytest.fixture
async def backend(tmp_path: Path, sink: SentrySink, anyio_backend: str) -> AsyncIterator[Backend]:
    """A backend that reports errors and has endpoints with and without need of a token."""
    async with running_backend(tmp_path, sentry_dsn=sink.dsn) as running:

        @running.app.get("/mine")
        async def mine(user: CurrentUserDep) -> str:
            return user.user_id

        @running.app.get("/anybodys")
        async def anybodys(user: OptionalUserDep) -> str:
            return user.user_id if user else "anybody"

        @running.app.get("/broken")
        async def broken(_: CurrentUserDep) -> None:
            raise RuntimeError("broken")

        yield running


def bearer(token: str, ident: str = "") -> dict[str, str]:
    """Headers with a token, and with an id when one is given."""
    return {"Authorization": f"Bearer {token}", **({"X-Event-ID": ident} if ident else {})}


def expired(backend: Backend, user_id: str = "7") -> str:
    """A genuine token that is too old."""
    return issue(backend.resources.settings, user_id, lifetime=timedelta(hours=-1))


def reports(sink: SentrySink, ident: str, text: str) -> list[dict[str, Any]]:
    """The messages that arrived under an id."""
    return [event for event in sink.of(ident) if event.get("logentry", {}).get("message", event.get("message")) == text]


@pytest.mark.req("AUT-02", "AUT-03", "AUT-09", "SEB-13", "C-31", "C-34")
async def test_an_expired_token_is_told_once_everywhere(backend: Backend, sink: SentrySink, monkeypatch: pytest.MonkeyPatch) -> None:
    """401 with the id; exactly one WARNING with user; one `Token expired` of level warning with the tag; one count; one tracked event."""
    tracked: list[tuple[str, str]] = []
    monkeypatch.setattr("app.api.auth_failures.track_event", lambda user_id, event_type, _: tracked.append((user_id, event_type)))
    before = await backend.metric("auth_token_errors_total", reason="expired")
    answer = await backend.http.get("/mine", headers=bearer(expired(backend), "tok12345"))
    assert (answer.status_code, answer.json()["request_id"], answer.json()["code"]) == (401, "tok12345", "token_expired")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    (warning,) = [record for record in backend.records("tok12345") if record["level"] == "WARNING"]
    assert (warning["event"], warning["user_id"], warning["request_id"]) == ("token.expired", "7", "tok12345")
    assert not [record for record in backend.records("tok12345") if record["level"] in ("ERROR", "CRITICAL")]
    assert backend.record("tok12345", "http.request.completed")["user_id"] == "7"
    assert await backend.metric("auth_token_errors_total", reason="expired") == before + 1
    assert tracked == [("7", "session_expired")]
    (report,) = wait_until("the message arriving", lambda: sink.of("tok12345"))
    assert (report["level"], report["user"]["id"]) == ("warning", "7")
    assert reports(sink, "tok12345", "Token expired")


@pytest.mark.req("SEB-13")
async def test_one_message_also_where_401_is_reported_by_itself(tmp_path: Path, sink: SentrySink) -> None:
    """With 401 among SENTRY_FAILED_STATUS_CODES there is still one event for an expired token, not two."""
    async with running_backend(tmp_path, sentry_dsn=sink.dsn, sentry_failed_status_codes="401,500-599") as backend:
        await backend.http.get("/profile", headers=bearer(expired(backend), "once"))
        await backend.http.get("/profile", headers=bearer(FORGED, "after"))
        wait_until("a later event arriving", lambda: sink.of("after"))
    assert len(sink.of("once")) == len(sink.of("after")) == 1


@pytest.mark.req("AUT-03", "C-31")
async def test_a_flood_of_expired_tokens_is_counted_and_not_sent(tmp_path: Path, sink: SentrySink) -> None:
    """Each is answered, recorded and counted; the error tracker gets a few and not all."""
    async with running_backend(tmp_path, sentry_dsn=sink.dsn, sentry_events_per_minute_of_a_kind=3) as backend:
        before = await backend.metric("auth_token_errors_total", reason="expired")
        for number in range(20):
            answer = await backend.http.get("/profile", headers=bearer(expired(backend), f"flood{number}"))
            assert answer.status_code == 401
        assert await backend.metric("auth_token_errors_total", reason="expired") == before + 20
        assert len([record for record in backend.records() if record["event"] == "token.expired"]) == 20
    wait_until("the first messages arriving", lambda: sink.of("flood2"))
    assert len([event for event in sink.events if event.get("level") == "warning"]) == 3


@pytest.mark.req("AUT-05", "AUT-08", "AUT-09")
async def test_a_forged_token_is_reported_and_names_nobody(backend: Backend, sink: SentrySink) -> None:
    """401, one WARNING without user, one message; what the token says of itself is nowhere."""
    before = await backend.metric("auth_token_errors_total", reason="invalid")
    answer = await backend.http.get("/mine", headers=bearer(FORGED, "forged"))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    (warning,) = [record for record in backend.records("forged") if record["level"] == "WARNING"]
    assert (warning["event"], warning["reason"], warning.get("user_id")) == ("token.invalid", "signature", None)
    assert await backend.metric("auth_token_errors_total", reason="invalid") == before + 1
    (report,) = wait_until("the message arriving", lambda: sink.of("forged"))
    assert "user" not in report or not report["user"].get("id")
    assert "4711" not in str(backend.records("forged")) + str(report)


@pytest.mark.req("AUT-01")
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "token abc", "Bearer a b", "bearer\tx", "Bearer ünïcode"])
async def test_a_header_that_is_no_bearer_token_is_401(backend: Backend, header: str) -> None:
    """A header that can't be read is refused, also where a token isn't needed: whoever sends one means it."""
    for path in ("/mine", "/anybodys"):
        answer = await backend.http.get(path, headers={b"Authorization": header.encode("utf-8")})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def test_no_header_is_somebody_unknown(backend: Backend) -> None:
    """Where a token is optional nobody needs one; a good one counts; where it is needed its absence is counted apart."""
    assert (await backend.http.get("/anybodys")).json() == "anybody"
    assert (await backend.http.get("/anybodys", headers=await backend.sign_in("fatma"))).json() == "fatma"
    before = await backend.metric("auth_token_errors_total", reason="missing")
    assert (await backend.http.get("/mine", headers={"X-Event-ID": "nobody"})).status_code == 401
    assert backend.record("nobody", "token.missing")["level"] == "INFO"
    assert await backend.metric("auth_token_errors_total", reason="missing") == before + 1


@pytest.mark.req("SEB-15", "SEB-16", "PRV-09")
async def test_an_error_event_says_who_by_id_and_role_only(backend: Backend, sink: SentrySink) -> None:
    """Tags user_role and event_id, the user's id; and every record of the request has the user."""
    headers = await backend.sign_in("fatma", "operator")
    assert (await backend.http.get("/broken", headers=headers | {"X-Event-ID": "broken"})).status_code == 500
    (event,) = wait_until("the event arriving", lambda: sink.of("broken"))
    assert (event["tags"]["user_role"], event["tags"]["event_id"]) == ("operator", "broken")
    assert event["user"] == {"id": "fatma"}
    assert backend.record("broken", "http.request.failed")["user_id"] == "fatma"


@pytest.mark.req("SEB-16")
async def test_the_next_request_has_nothing_of_the_one_before(backend: Backend, sink: SentrySink) -> None:
    """User and role end with their request."""
    await backend.http.get("/mine", headers=await backend.sign_in("fatma", "operator"))
    await backend.http.get("/mine", headers=bearer(FORGED, "next"))
    (event,) = wait_until("the event arriving", lambda: sink.of("next"))
    assert "user_role" not in event["tags"]
    assert not [record for record in backend.records("next") if record.get("user_id")]


@pytest.mark.req("AUT-05", "AUT-08")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
async def test_no_token_whatever_it_is_gets_into_a_record(backend: Backend, text: str) -> None:
    """Garbage as a token is 401, never a 5xx, and is in no record."""
    secret = f"Zz9{text}"
    answer = await backend.http.get("/mine", headers=bearer(secret))
    assert answer.status_code == 401
    if len(text) > 5:
        assert secret not in "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))
