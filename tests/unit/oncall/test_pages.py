"""The web side: the webhook, the API, the links of messages, the page and its doors."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.core.config import Settings
from app.oncall.main import create_app
from app.oncall.service import Service
from tests.support.backend import serving
from tests.support.records import spooled
from tests.unit.oncall.conftest import alert

pytestmark = pytest.mark.anyio

BEARER = {"Authorization": f"Bearer {'t' * 32}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def site(oncall_settings: Settings) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """The whole application, with its clocks, and a client without credentials."""
    settings = oncall_settings.model_copy(
        update={
            "oncall_public_url": "http://backend.test",
            "alertmanager_url": "http://127.0.0.1:9",
            "prometheus_url": "http://127.0.0.1:9",
        }
    )
    async with serving(settings, create_app) as (app, http):
        yield app.state.service, http


def webhook(*alerts: Any) -> dict[str, Any]:
    """What Alertmanager posts."""
    told = []
    for entry in alerts:
        document = json.loads(entry.model_dump_json(by_alias=True))
        told.append({**document, "startsAt": "2026-11-22T03:00:00Z", "endsAt": "0001-01-01T00:00:00Z"})
    return {"version": "4", "groupKey": "x", "status": "firing", "receiver": "oncall", "alerts": told}


async def open_incident(http: httpx.AsyncClient) -> str:
    """Post an alert; the id of its incident."""
    assert (await http.post("/api/alerts", json=webhook(alert()), headers=BEARER)).status_code == 202
    (found,) = (await http.get("/api/incidents", headers=BEARER)).json()
    return str(found["id"])


async def sign_in(http: httpx.AsyncClient, who: str = "Ayşe") -> httpx.Response:
    """Start a session."""
    body = f"who={quote(who)}&password={quote('correct horse battery')}"
    return await http.post("/sign-in", content=body, headers=FORM)


@pytest.mark.req("ACC-09")
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dDp0"}])
async def test_a_forged_webhook_is_refused_and_audited(
    site: tuple[Service, httpx.AsyncClient], oncall_settings: Settings, headers: dict[str, str]
) -> None:
    """FAULTS 25: 401, nothing stored, a record that says so."""
    _, http = site
    assert (await http.post("/api/alerts", json=webhook(alert()), headers=headers)).status_code == 401
    assert (await http.get("/api/incidents", headers=BEARER)).json() == []
    assert oncall_settings.spool_dir is not None
    refused = [record for record in spooled(Path(oncall_settings.spool_dir)) if record.get("event") == "oncall.refused"]
    assert refused
    assert refused[0]["reason"] == "token"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"alerts": 1}', b'{"alerts": [{"status": "x"}]}', b"\xff"])
async def test_what_is_no_webhook_is_a_400(site: tuple[Service, httpx.AsyncClient], body: bytes) -> None:
    """Alertmanager does not repeat it, and nothing breaks."""
    _, http = site
    assert (await http.post("/api/alerts", content=body, headers=BEARER)).status_code == 400


async def test_a_mail_scanner_that_opens_the_link_acknowledges_nothing(site: tuple[Service, httpx.AsyncClient]) -> None:
    """FAULTS 25: GET and HEAD only show; the button's POST acknowledges, without a sign-in."""
    service, http = site
    ident = await open_incident(http)
    link = service.links.acknowledge(ident, 1, "ayse").removeprefix("http://backend.test")
    for _ in range(3):
        page = await http.get(link)
        assert page.status_code == 200
        assert "Acknowledge as ayse" in page.text
    state = (await http.get(f"/api/incidents/{ident}", headers=BEARER)).json()["state"]
    assert state in ("firing", "notified")
    token = link.partition("token=")[2]
    assert "You have it" in (await http.post("/acknowledge", content=f"token={token}", headers=FORM)).text
    found = (await http.get(f"/api/incidents/{ident}", headers=BEARER)).json()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "ayse")
    assert [line["detail"] for line in found["timeline"] if line["what"] == "acknowledged"] == ["link"]


async def test_a_forged_link_is_refused(site: tuple[Service, httpx.AsyncClient]) -> None:
    """A changed person, or nothing at all."""
    service, http = site
    ident = await open_incident(http)
    token = service.links.acknowledge(ident, 1, "ayse").partition("token=")[2]
    for forged in ("", "x", token[:-1] + ("y" if token[-1] == "x" else "x"), token.replace(ident, "b" * 32)):
        assert (await http.get("/acknowledge", params={"token": forged})).status_code == 403
        assert (await http.post("/acknowledge", content=f"token={forged}", headers=FORM)).status_code == 403


async def test_the_token_of_a_link_is_in_no_record(site: tuple[Service, httpx.AsyncClient], oncall_settings: Settings) -> None:
    """A link is a capability: our own log must not hand it out."""
    service, http = site
    token = service.links.acknowledge(await open_incident(http), 1, "ayse").partition("token=")[2]
    await http.get("/acknowledge", params={"token": token})
    assert oncall_settings.spool_dir is not None
    assert token.rpartition(".")[2] not in json.dumps(spooled(Path(oncall_settings.spool_dir)))


@pytest.mark.req("ACC-09")
async def test_the_page_needs_a_sign_in(site: tuple[Service, httpx.AsyncClient]) -> None:
    """Without a session every page leads to the sign-in; a wrong password is a 401, many are a 429."""
    _, http = site
    ident = await open_incident(http)
    for path in ("/", f"/incidents/{ident}"):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await http.post(f"/incidents/{ident}/acknowledge")).status_code == 303
    codes = [(await http.post("/sign-in", content="who=x&password=wrong", headers=FORM)).status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]


async def test_who_is_signed_in_sees_and_acknowledges(site: tuple[Service, httpx.AsyncClient]) -> None:
    """The list, the incident, the button; the timeline has the name."""
    _, http = site
    ident = await open_incident(http)
    assert (await sign_in(http)).status_code == 303
    home = await http.get("/")
    assert "ApiDown" in home.text
    assert home.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await http.post(f"/incidents/{ident}/acknowledge")).status_code == 303
    page = (await http.get(f"/incidents/{ident}")).text
    assert "acknowledged" in page
    assert "Ayşe" in page


async def test_a_form_of_another_site_is_refused(site: tuple[Service, httpx.AsyncClient]) -> None:
    """The session's cookie alone is not enough."""
    _, http = site
    ident = await open_incident(http)
    await sign_in(http)
    answer = await http.post(f"/incidents/{ident}/acknowledge", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["null", "http://[", "https://evil.example", "x"])
async def test_an_origin_of_any_form_is_refused_and_breaks_nothing(site: tuple[Service, httpx.AsyncClient], origin: str) -> None:
    """Also one that is no address: 403 for whoever is not signed in, no 500 that strangers could make at will."""
    _, http = site
    answer = await http.post("/sign-in", content="who=x&password=wrong", headers={**FORM, "Origin": origin})
    assert answer.status_code == 403
    same = await http.post("/sign-in", content="who=x&password=wrong", headers={**FORM, "Origin": "http://backend.test"})
    assert same.status_code == 401


@pytest.mark.parametrize("path", ["/sign-in", "/acknowledge"])
async def test_a_form_without_an_announced_length_is_bounded_too(site: tuple[Service, httpx.AsyncClient], path: str) -> None:
    """Whoever has no session can't fill the memory with a body that never says how long it is."""
    _, http = site

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"a" * 1024

    assert (await http.post(path, content=endless(), headers=FORM)).status_code == 413


async def test_an_address_puts_no_words_on_a_page(site: tuple[Service, httpx.AsyncClient]) -> None:
    """A link from elsewhere can't let our page say that the password has moved, or that somebody has the incident."""
    _, http = site
    ident = await open_incident(http)
    assert "has moved" not in (await http.get("/sign-in?problem=It+has+moved")).text
    await sign_in(http)
    assert "has moved" not in (await http.get(f"/incidents/{ident}?problem=It+has+moved")).text


@pytest.mark.req("ACC-09")
async def test_an_alert_with_odd_texts_and_times_is_stored_and_shown(site: tuple[Service, httpx.AsyncClient]) -> None:
    """NUL characters, which PostgreSQL refuses, and a start past the last date: else Alertmanager would send the message for ever."""
    _, http = site
    odd = webhook(alert("Odd\0Name", service="a\0b"))
    odd["alerts"][0] |= {"startsAt": "9999-12-31T23:59:59-12:00", "fingerprint": "f\0", "generatorURL": "http://x/\0"}
    assert (await http.post("/api/alerts", json=odd, headers=BEARER)).status_code == 202
    (found,) = (await http.get("/api/incidents", headers=BEARER)).json()
    assert (found["alertname"], found["service"]) == ("Odd\ufffdName", "a\ufffdb")
    whole = (await http.get(f"/api/incidents/{found['id']}", headers=BEARER)).json()
    assert "\0" not in whole["alerts"][0]["fingerprint"] + whole["alerts"][0]["url"]
    await sign_in(http)
    assert (await http.get(f"/incidents/{found['id']}")).status_code == 200
    taken = await http.post(f"/api/incidents/{found['id']}/acknowledge", json={"who": "Ay\0şe\x1b[31m"}, headers=BEARER)
    assert taken.json() == {"acknowledged_by": "Ay şe [31m"}


async def test_a_forged_session_is_none(site: tuple[Service, httpx.AsyncClient]) -> None:
    """Another name under the same signature leads to the sign-in."""
    _, http = site
    await sign_in(http)
    session = http.cookies["nobet_oncall"]
    http.cookies.clear()
    http.cookies["nobet_oncall"] = "YWRtaW4=" + session[session.index(".") :]
    assert (await http.get("/")).status_code == 303


async def test_a_silence_that_alertmanager_does_not_take_is_told(site: tuple[Service, httpx.AsyncClient]) -> None:
    """Alertmanager is away: the page says that nothing was silenced."""
    _, http = site
    ident = await open_incident(http)
    await sign_in(http)
    answer = await http.post(f"/incidents/{ident}/silence", content="reason=deploy&hours=1", headers=FORM)
    assert "nothing was silenced" in answer.text
    for form, said in (("reason=&hours=1", "needs a reason"), ("reason=x&hours=25", "at most 24"), ("reason=x&hours=soon", "number")):
        assert said in (await http.post(f"/incidents/{ident}/silence", content=form, headers=FORM)).text


async def test_slack_buttons_need_slacks_signature(oncall_settings: Settings) -> None:
    """Signed just now: taken, under the user's name. Unsigned, wrong or old: 401."""
    secret = "s" * 32
    chosen = oncall_settings.model_copy(update={"slack_signing_secret": type(oncall_settings.oncall_token)(secret)})
    async with serving(chosen, create_app) as (_, http):
        ident = await open_incident(http)
        payload = {"actions": [{"action_id": "acknowledge", "value": f"{ident}.1"}], "user": {"id": "U1", "username": "ayse"}}
        body = f"payload={quote(json.dumps(payload))}".encode()

        def signed(stamp: int, key: str) -> dict[str, str]:
            made = hmac.new(key.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
            return {**FORM, "X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": f"v0={made}"}

        now = int(time.time())
        for headers in (FORM, signed(now, "x" * 32), signed(now - 3600, secret)):
            assert (await http.post("/slack/actions", content=body, headers=headers)).status_code == 401
        answer = await http.post("/slack/actions", content=body, headers=signed(now, secret))
        assert answer.json()["text"] == "Taken by ayse."
        assert (await http.get(f"/api/incidents/{ident}", headers=BEARER)).json()["acknowledged_by"] == "ayse"


async def test_the_api_gives_back_and_hands_over(site: tuple[Service, httpx.AsyncClient]) -> None:
    """By the beginning of the id, too; what is unknown is a 404, what can't be done a 409."""
    _, http = site
    ident = await open_incident(http)
    assert (await http.post(f"/api/incidents/{ident[:8]}/acknowledge", json={"who": "can"}, headers=BEARER)).json() == {
        "acknowledged_by": "can"
    }
    assert (await http.post(f"/api/incidents/{ident}/release", json={"who": "can", "to": "ayse"}, headers=BEARER)).status_code == 204
    assert (await http.get(f"/api/incidents/{ident}", headers=BEARER)).json()["acknowledged_by"] == "ayse"
    assert (await http.post("/api/incidents/ffff/acknowledge", json={"who": "can"}, headers=BEARER)).status_code == 404
    assert (await http.post(f"/api/incidents/{ident}/acknowledge", json={}, headers=BEARER)).status_code == 400
