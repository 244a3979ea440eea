"""Registering, signing in, refreshing, renewing a password."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.db import users
from app.db.models import User
from app.domain import passwords
from app.domain.passwords import HASHER, hash_password, is_outdated, matches
from tests.support.backend import Backend, running_backend

pytestmark = pytest.mark.anyio

PASSWORD = "night-watch-Parola-42"
NEXT = "another-long-password"


async def register(backend: Backend, name: str = "ayse", **more: str) -> str:
    """The id of a new account."""
    answer = await backend.http.post("/api/auth/register", json={"username": name, "password": PASSWORD, **more})
    assert answer.status_code == 201
    return str(answer.json()["user_id"])


async def login(backend: Backend, name: str = "ayse", password: str = PASSWORD, **headers: str) -> httpx.Response:
    """The answer to a login."""
    return await backend.http.post("/api/auth/login", json={"username": name, "password": password}, headers=headers)


async def signed_in(backend: Backend) -> dict[str, Any]:
    """The tokens of an account that has just been made."""
    await register(backend)
    body: dict[str, Any] = (await login(backend)).json()
    return body


async def refreshed(backend: Backend, token: str, **headers: str) -> httpx.Response:
    """The answer to a refresh."""
    return await backend.http.post("/api/auth/refresh", json={"refresh_token": token}, headers=headers)


def bearer(token: str) -> dict[str, str]:
    """The header of a request with this token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.req("AUT-01", "AUT-07")
async def test_who_registers_can_sign_in_and_use_the_token(backend: Backend) -> None:
    """Register, sign in, read one's own profile; without the token the answer is 401 with the id."""
    user_id = await register(backend)
    answer = await login(backend)
    assert (answer.status_code, answer.json()["user_id"], answer.json()["token_type"]) == (200, user_id, "Bearer")
    assert answer.headers["Cache-Control"] == "no-store"
    profile = await backend.http.get("/api/profile", headers=bearer(answer.json()["access_token"]))
    assert (profile.status_code, profile.json()["username"]) == (200, "ayse")
    refused = await backend.http.get("/api/profile", headers={"X-Event-ID": "anon"})
    assert (refused.status_code, refused.json()["code"], refused.json()["request_id"]) == (401, "token_missing", "anon")
    assert refused.headers["WWW-Authenticate"] == "Bearer"


async def test_a_name_that_no_database_can_hold_is_a_400(backend: Backend) -> None:
    """PostgreSQL refuses NUL: whoever has no account could make a 500 with it, and the alerts that follow."""
    answer = await login(backend, "ay\0se")
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (400, ["body.username"])


async def test_a_name_is_taken_once_whatever_its_case(backend: Backend) -> None:
    """409 for the second, also when both come at once; nothing above INFO is logged about it."""
    answers = await asyncio.gather(
        *(
            backend.http.post(path, json={"username": name, "password": PASSWORD}, headers={"X-Event-ID": "twice"})
            for path, name in (("/auth/register", "ayse"), ("/api/auth/register", "AYSE"), ("/auth/register", "Ayse"))
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {record["level"] for record in backend.records("twice")} <= {"DEBUG", "INFO"}
    assert (await login(backend, "aYSe")).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "a b"),
        ("username", ""),
        ("username", "x" * 65),
        ("username", "somebody@example.org"),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", 12345678),
        ("password", "\ud800" * 9),
        ("display_name", "nul\x00"),
        ("email", "no address"),
    ],
)
async def test_a_bad_field_is_400_named_and_not_repeated(backend: Backend, field: str, value: object) -> None:
    """400 that names the field; the value is in no answer and no record."""
    body = {"username": "ayse", "password": PASSWORD} | {field: value}
    answer = await backend.http.post("/auth/register", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (400, [f"body.{field}"])
    assert "somebody@example.org" not in answer.text
    assert "somebody@example.org" not in "".join(map(str, backend.records()))


@pytest.mark.req("LOG-20", "AUT-07", "BIZ-07", "PRV-03", "C-15", "C-37")
async def test_each_login_is_recorded_and_counted_with_its_outcome(backend: Backend) -> None:
    """`user_login` with outcome, user, truncated address and user agent; each outcome counted once."""
    user_id = await register(backend)
    before = {outcome: await backend.metric("logins_total", outcome=outcome) for outcome in ("success", "failure")}
    agent = {"User-Agent": "Phone/1.0"}
    assert (await login(backend, **{"X-Event-ID": "good"}, **agent)).status_code == 200
    assert (await login(backend, password="wrong", **{"X-Event-ID": "bad"}, **agent)).status_code == 401
    assert (await login(backend, "nobody", **{"X-Event-ID": "unknown"}, **agent)).status_code == 401
    good, bad, unknown = (backend.record(ident, "user_login") for ident in ("good", "bad", "unknown"))
    assert (good["level"], good["outcome"], good["user_id"]) == ("INFO", "success", user_id)
    assert (bad["level"], bad["outcome"], bad["user_id"], bad["reason"]) == ("WARNING", "failure", user_id, "wrong_password")
    assert (unknown["outcome"], unknown.get("user_id"), unknown["reason"]) == ("failure", None, "unknown_user")
    assert {record["client_ip"] for record in (good, bad, unknown)} == {"127.0.0.0"}
    assert {record["user_agent"] for record in (good, bad, unknown)} == {"Phone/1.0"}
    assert await backend.metric("logins_total", outcome="success") == before["success"] + 1
    assert await backend.metric("logins_total", outcome="failure") == before["failure"] + 2


@pytest.mark.req("PRV-03", "C-15")
@pytest.mark.parametrize(("mode", "shape"), [("none", None), ("truncated", "127.0.0.0"), ("full", "127.0.0.1"), ("hashed", "hash")])
async def test_the_address_stands_in_the_login_event_only_and_as_the_setting_says(tmp_path: Path, mode: str, shape: str | None) -> None:
    """LOG_IP_MODE decides its form; no other record has an address in any mode."""
    async with running_backend(tmp_path, log_ip_mode=mode, metrics_token="t" * 24) as backend:
        await login(backend, **{"X-Event-ID": "one"})
        record = backend.record("one", "user_login")
        if shape == "hash":
            assert len(record["client_ip"]) == 16
            assert "127" not in record["client_ip"]
        else:
            assert record.get("client_ip") == shape
        others = [entry for entry in backend.records("one") if entry["event"] != "user_login"]
        assert "127.0.0" not in str(others)


@pytest.mark.req("AUT-07")
async def test_an_unknown_user_and_a_wrong_password_are_answered_alike(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same status and text, and the same work: one password is checked in either case."""
    checked: list[str] = []
    verify = passwords._verify  # the private step is what takes the time: that both do it is the promise

    def counted(password: str, stored: str) -> bool:
        checked.append(stored)
        return verify(password, stored)

    await register(backend)
    monkeypatch.setattr(passwords, "_verify", counted)
    wrong = await login(backend, password="wrong", **{"X-Event-ID": "same"})
    unknown = await login(backend, "nobody", password="wrong", **{"X-Event-ID": "same"})
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert {name: value for name, value in wrong.headers.items() if name != "date"} == dict(unknown.headers.items())
    assert len(checked) == 2
    assert not any(map(is_outdated, checked))


async def test_a_password_hash_is_argon2id_and_salted() -> None:
    """Two hashes of one password differ, both match, and neither holds it."""
    first, second = await asyncio.gather(hash_password(PASSWORD), hash_password(PASSWORD))
    assert first.startswith("$argon2id$")
    assert first != second
    assert PASSWORD not in first + second
    assert await matches(PASSWORD, first)
    assert not await matches(NEXT, first)
    assert not await matches(PASSWORD, "no hash at all")


async def test_hashing_leaves_the_event_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """While all threads hash, the loop goes on; more than the queue holds are refused at once."""
    monkeypatch.setattr(passwords, "MOST_WAITING", 4)
    release = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda *_: not release.wait(10))
    tries = [asyncio.create_task(matches("x", None)) for _ in range(5)]
    (refused,), _ = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)  # the loop runs while the threads are busy
    assert isinstance(refused.exception(), passwords.PasswordsBusyError)
    release.set()
    assert await asyncio.gather(*(task for task in tries if task is not refused)) == [False] * 4


async def test_a_weaker_hash_is_renewed_at_the_next_login(backend: Backend) -> None:
    """A hash made with older parameters is replaced while the password is at hand."""
    await register(backend)
    weak = type(HASHER)(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with backend.resources.database.session() as session:
        await session.execute(update(User).values(password_hash=weak))
    assert (await login(backend)).status_code == 200
    async with backend.resources.database.session() as session:
        user = await users.find_by_name(session, "ayse")
    assert user is not None
    assert not is_outdated(user.password_hash)


async def test_a_refresh_token_is_good_once(backend: Backend) -> None:
    """Refreshing gives new tokens; the old one coming again ends the session, also for who has the new one."""
    tokens = await signed_in(backend)
    first = await refreshed(backend, tokens["refresh_token"])
    assert first.status_code == 200
    assert (await backend.http.get("/profile", headers=bearer(first.json()["access_token"]))).status_code == 200
    again = await refreshed(backend, tokens["refresh_token"], **{"X-Event-ID": "reused"})
    assert (again.status_code, again.json()["code"]) == (401, "session_ended")
    assert backend.record("reused", "token.reused")["user_id"] == tokens["user_id"]
    assert (await refreshed(backend, first.json()["refresh_token"])).json()["code"] == "session_ended"
    assert await backend.metric("auth_token_errors_total", reason="reused") >= 1


async def test_two_refreshes_at_once_give_one_pair_of_tokens(backend: Backend) -> None:
    """Only one of several simultaneous exchanges of one token wins."""
    tokens = await signed_in(backend)
    answers = await asyncio.gather(*(refreshed(backend, tokens["refresh_token"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_an_access_token_refreshes_nothing(backend: Backend) -> None:
    """The kinds aren't interchangeable, in either direction."""
    tokens = await signed_in(backend)
    assert (await refreshed(backend, tokens["access_token"])).json()["code"] == "token_invalid"
    assert (await backend.http.get("/profile", headers=bearer(tokens["refresh_token"]))).json()["code"] == "token_invalid"


async def test_logging_out_ends_the_session(backend: Backend) -> None:
    """204; afterwards the refresh token is worth nothing, and a second logout is no error."""
    tokens = await signed_in(backend)
    for _ in range(2):
        assert (await backend.http.post("/auth/logout", headers=bearer(tokens["access_token"]))).status_code == 204
    assert (await refreshed(backend, tokens["refresh_token"])).json()["code"] == "session_ended"


async def renewed(backend: Backend, token: str, old: str, new: str = NEXT, **headers: str) -> httpx.Response:
    """The answer to a renewal of the password."""
    body = {"old_password": old, "new_password": new}
    return await backend.http.post("/api/auth/password", json=body, headers=bearer(token) | headers)


@pytest.mark.req("AUT-06")
async def test_renewing_the_password_ends_the_other_sessions(backend: Backend) -> None:
    """The old password is worth nothing afterwards, other devices have to sign in, this one goes on."""
    here = await signed_in(backend)
    there = (await login(backend)).json()
    assert (await renewed(backend, here["access_token"], PASSWORD, **{"X-Event-ID": "renew"})).status_code == 204
    assert backend.record("renew", "password.changed")["user_id"] == here["user_id"]
    assert (await refreshed(backend, there["refresh_token"])).status_code == 401
    assert (await refreshed(backend, here["refresh_token"])).status_code == 200
    assert (await login(backend)).status_code == 401
    assert (await login(backend, password=NEXT)).status_code == 200


async def test_renewing_needs_the_old_password_and_an_open_session(backend: Backend) -> None:
    """403 for a wrong old password, 401 for a session that was ended though its token is still good."""
    tokens = await signed_in(backend)
    wrong = await renewed(backend, tokens["access_token"], "wrong", **{"X-Event-ID": "wrong"})
    assert (wrong.status_code, backend.record("wrong", "password.refused")["user_id"]) == (403, tokens["user_id"])
    await backend.http.post("/auth/logout", headers=bearer(tokens["access_token"]))
    ended = await renewed(backend, tokens["access_token"], PASSWORD)
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    assert (await login(backend)).status_code == 200


@pytest.mark.req("PRV-13")
async def test_a_closed_account_is_gone(backend: Backend) -> None:
    """It needs the password; afterwards neither login nor refresh nor profile know the user, and the name is free."""
    tokens = await signed_in(backend)
    headers = bearer(tokens["access_token"])
    assert (await backend.http.post("/api/auth/close", json={"password": "wrong"}, headers=headers)).status_code == 403
    closed = await backend.http.post("/api/auth/close", json={"password": PASSWORD}, headers=headers | {"X-Event-ID": "closed"})
    assert (closed.status_code, backend.record("closed", "account.closed")["user_id"]) == (204, tokens["user_id"])
    assert (await login(backend)).status_code == 401
    assert (await refreshed(backend, tokens["refresh_token"])).status_code == 401
    assert (await backend.http.get("/profile", headers=headers)).status_code == 404
    async with backend.resources.database.session() as session:
        assert await users.find_session(session, "none") is None
        assert await users.find_by_name(session, "ayse") is None
    await register(backend)


@pytest.mark.req("ALR-19")
async def test_who_guesses_has_to_wait(tmp_path: Path) -> None:
    """After the limit 429 with Retry-After, also for the right password; others are not affected; each outcome is recorded."""
    async with running_backend(tmp_path, login_failures_per_account=3) as backend:
        await register(backend)
        await register(backend, "fatma")
        guesses = await asyncio.gather(*(login(backend, password="wrong") for _ in range(5)))
        assert sorted(answer.status_code for answer in guesses) == [401, 401, 401, 429, 429]
        limited = await login(backend, **{"X-Event-ID": "limited"})
        assert limited.status_code == 429
        assert 1 <= int(limited.headers["Retry-After"]) <= 300
        assert backend.record("limited", "user_login")["outcome"] == "limited"
        assert await backend.metric("logins_total", outcome="limited") >= 3
        assert (await login(backend, "fatma")).status_code == 200


async def test_right_passwords_count_for_nothing(tmp_path: Path) -> None:
    """Who signs in rightly, however often, never has to wait."""
    async with running_backend(tmp_path, login_failures_per_account=1, login_failures_per_address=1) as backend:
        await register(backend)
        assert [(await login(backend)).status_code for _ in range(4)] == [200] * 4


async def test_an_address_that_guesses_has_to_wait_for_all_accounts(tmp_path: Path) -> None:
    """Names tried one after the other from one address are stopped too."""
    async with running_backend(tmp_path, login_failures_per_address=3) as backend:
        statuses = [(await login(backend, f"name{number}")).status_code for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


async def test_without_redis_each_worker_counts_for_itself(tmp_path: Path) -> None:
    """A Redis that isn't there switches the limit neither off nor the login."""
    async with running_backend(tmp_path, redis_url="redis://127.0.0.1:1/0", login_failures_per_account=2) as backend:
        await register(backend)
        assert (await login(backend)).status_code == 200
        assert [(await login(backend, password="wrong")).status_code for _ in range(4)] == [401, 401, 429, 429]


async def test_our_own_trouble_is_not_held_against_the_user(tmp_path: Path) -> None:
    """A login that failed because the database did is no failed guess."""
    async with running_backend(tmp_path, login_failures_per_account=1) as backend:
        await register(backend)
        await backend.sql("ALTER TABLE users RENAME TO gone")
        assert (await login(backend)).status_code == 500
        await backend.sql("ALTER TABLE gone RENAME TO users")
        assert (await login(backend)).status_code == 200
