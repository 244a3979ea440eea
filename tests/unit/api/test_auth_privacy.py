"""What people give us in confidence is in no record, no trace of the error tracker, no metric."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backend import Backend, running_backend
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

PASSWORD = "Geheimnis-der-Nachtwache-7"
NEXT = "ein-anderes-Geheimnis-8"
EMAIL = "ayse.yilmaz@example.org"


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    """A receiver of error events."""
    with SentrySink() as receiver:
        yield receiver


async def _a_day(backend: Backend) -> list[str]:
    """Everything that somebody does with an account, well and badly; returns what must not be found."""
    http = backend.http
    await http.post("/auth/register", json={"username": "ayse", "password": PASSWORD, "display_name": "Ayşe Yılmaz", "email": EMAIL})
    await http.post("/auth/login", json={"username": EMAIL, "password": PASSWORD})
    await http.post("/auth/login", json={"username": PASSWORD, "password": "ayse"})
    first = (await http.post("/auth/login", json={"username": "ayse", "password": PASSWORD})).json()
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    await http.put("/profile", headers=bearer, json={"display_name": "Ayşe Yılmaz", "email": EMAIL})
    await http.get(f"/profile?token={first['access_token']}&email={EMAIL}", headers=bearer)
    second = (await http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    await http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    await http.post("/auth/refresh", json={"refresh_token": first["access_token"]})
    await http.post("/auth/password", headers=bearer, json={"old_password": PASSWORD, "new_password": NEXT})
    again = (await http.post("/auth/login", json={"username": "ayse", "password": PASSWORD})).json()
    bearer = {"Authorization": f"Bearer {again['access_token']}"}
    await http.post("/auth/password", headers=bearer, json={"old_password": "wrong " + PASSWORD, "new_password": NEXT})
    await http.post("/auth/password", headers=bearer, json={"old_password": PASSWORD, "new_password": NEXT})
    await http.get("/profile", headers={"Authorization": f"Bearer {again['access_token']}x", "X-Event-ID": "garbage"})
    await http.get("/profile", headers={"Authorization": f"Basic {PASSWORD}"})
    await backend.sql("ALTER TABLE users RENAME TO gone")
    await http.put("/profile", headers=bearer | {"X-Event-ID": "failed"}, json={"display_name": "Ayşe Yılmaz", "email": EMAIL})
    await http.post("/auth/login", json={"username": "ayse", "password": NEXT})
    tokens = [body[name] for body in (first, second, again) for name in ("access_token", "refresh_token")]
    parts = [part for token in tokens for part in token.split(".")[1:]]
    return [PASSWORD, NEXT, EMAIL, "example.org", "Yılmaz", "Y\\u0131lmaz", "$argon2", *tokens, *parts]


@pytest.mark.req("PRV-01", "PRV-02", "PRV-03", "PRV-10", "AUT-08")
async def test_no_token_password_or_address_leaves_the_process(tmp_path: Path, sink: SentrySink) -> None:
    """Neither in a record of any level, nor in an error event, nor in /metrics: on success, on refusal and on failure."""
    async with running_backend(tmp_path, sentry_dsn=sink.dsn, log_tracebacks="always") as backend:
        secrets = await _a_day(backend)
        wait_until("the events of failures arriving", lambda: sink.of("failed") and sink.of("garbage"))
        records = "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))
        exposed = (await backend.http.get("/metrics")).text
        events = "".join(payload.decode() for _, payload in sink.items)
        assert "password.changed" in records
        for place, text in (("records", records), ("error events", events), ("metrics", exposed)):
            found = [secret for secret in secrets if secret in text]
            assert found == [], place
