"""What people read is complete and inert, and links do only what they say."""

import json
from email import message_from_bytes, policy
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.core.config import Settings, load_settings
from app.oncall.channels import make_channels
from app.oncall.channels.mail import mail_for
from app.oncall.channels.sender import LONGEST_WAIT_SECONDS, RefusedError, Sender, TryAgainError, retry_after
from app.oncall.links import Links
from app.oncall.messages import Message, compose, duration, inert, web_link, with_time

LINKS = Links("https://oncall.example.com", SecretStr("k" * 32))

EVIL = 'Down <!channel> <script>alert(1)</script> \x1b[31m\u202e*bold* [x](javascript:1) & "q"\r\nBcc: all@example.com'


def incident(**change: Any) -> Any:
    """A row of the incidents."""
    return {
        "id": "a" * 32,
        "episode": 2,
        "alertname": "ApiDown",
        "service": "app",
        "env": "production",
        "severity": "critical",
        "state": "notified",
        "annotations": {
            "summary": "The API does not answer.",
            "description": "Three probes failed.",
            "runbook_url": "https://example.com/runbook#apidown",
            "dashboard_url": "http://127.0.0.1:3000/d/api?var-service=app",
        },
        "firing": 3,
        "opened_at": 1_800_000_000.0,
        "resolved_at": None,
        "acknowledged_by": None,
        **change,
    }


def message(kind: str = "page", *incidents: Any) -> Message:
    """The message about some incidents, or the usual one."""
    return compose(kind, list(incidents) or [incident()], LINKS, "ayse", "email:ayse@example.com")


@pytest.mark.req("ALD-14")
def test_a_page_says_what_since_when_how_bad_and_what_to_do() -> None:
    """Name, severity, service, description, start, runbook, dashboard with its time range, acknowledge link."""
    text = message().text
    for part in ("ApiDown (critical) on app, production", "Three probes failed.", "Since 2027-01-15 08:00:00 UTC, 3 alerts firing."):
        assert part in text
    assert "Runbook: https://example.com/runbook#apidown" in text
    assert "Dashboard: http://127.0.0.1:3000/d/api?var-service=app&from=1799999400000&to=now" in text
    assert "Acknowledge: https://oncall.example.com/acknowledge?token=" in text


@pytest.mark.req("ALD-12")
def test_the_end_says_how_long_it_lasted_and_offers_no_acknowledgement() -> None:
    """From the opening to the end."""
    text = message("resolved", incident(state="resolved", resolved_at=1_800_000_000.0 + 5400)).text
    assert "lasted 1 h 30 min" in text
    assert "Acknowledge" not in text


def test_texts_from_outside_are_inert_everywhere() -> None:
    """FAULTS 15: no markup, mention, escape sequence, direction mark or header gets through."""
    notes = {"summary": EVIL, "description": EVIL, "runbook_url": "javascript:alert(1)", "dashboard_url": 'https://x/" onclick="'}
    evil = message("page", incident(alertname=EVIL, service=EVIL, annotations=notes))
    settings = load_settings(_env_file=None, environment="test")
    mail = message_from_bytes(bytes(mail_for("ayse@example.com", evil, settings)), policy=policy.default)
    assert mail["Bcc"] is None
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    plain = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for text in (html, plain, str(mail["Subject"])):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in html
    assert "javascript:alert" not in html
    assert "onclick" not in html


@given(st.text())
def test_no_text_stays_dangerous(text: str) -> None:
    """Any text at all: printable or newline, and bounded."""
    tame = inert(text, 50)
    assert len(tame) <= 50
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in tame)


@pytest.mark.parametrize(
    "link", ["javascript:1", "data:text/html,x", "//example.com", "https://", "https://a b", "https://a/\nb", "ftp://a", ""]
)
def test_only_web_links_are_followed(link: str) -> None:
    """Everything else is left out."""
    assert web_link(link) == ""


def test_a_link_is_good_for_its_incident_episode_and_person_only() -> None:
    """What was signed comes back; a changed or foreign one does not."""
    token = LINKS.acknowledge("a" * 32, 2, "Ayşe").partition("token=")[2]
    grant = LINKS.check(token)
    assert grant is not None
    assert (grant.incident_id, grant.episode, grant.who) == ("a" * 32, 2, "Ayşe")
    assert LINKS.check(token.replace(".2.", ".3.")) is None
    assert LINKS.check(token[:-1]) is None
    assert Links("https://oncall.example.com", SecretStr("x" * 32)).check(token) is None


@given(st.text())
def test_no_token_that_was_not_signed_is_taken(token: str) -> None:
    """Garbage is refused without an error."""
    assert LINKS.check(token) is None


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (5400, "1 h 30 min"), (180_000, "2 d 2 h")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """The two largest units."""
    assert duration(seconds) == text


def test_the_dashboard_opens_on_the_time_of_the_incident() -> None:
    """From ten minutes before to its end."""
    assert with_time("https://g/d/x", 1000.0, 2000.0) == "https://g/d/x?from=400000&to=2300000"


def test_a_digest_lists_the_worst_and_counts_the_rest() -> None:
    """Thirty incidents in one message."""
    many = [incident(id=f"{number:032x}", severity="warning" if number else "critical") for number in range(30)]
    found = message("page", *many)
    assert found.total == 30
    assert found.items[0].severity == "critical"
    assert "… and 20 more." in found.text


# --- channels over a transport that stands in for services which a closed machine can't reach


class Wire:
    """Keeps what was posted, and answers as told."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self.status, self.headers = status, headers or {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.requests.append(request)
        return httpx.Response(self.status, headers=self.headers, json={"ok": True})

    def body(self, number: int = 0) -> Any:
        """What was sent."""
        return json.loads(self.requests[number].content)


def settings_with(**more: Any) -> Settings:
    """Settings of all channels."""
    return load_settings(
        _env_file=None,
        environment="test",
        slack_webhook_url="https://hooks.slack.test/T/B/secret",
        pagerduty_key="p" * 32,
        opsgenie_key="o" * 32,
        telegram_bot_token="1:secret",
        **more,
    )


async def send(contact: str, wire: Wire, kind: str = "page", **more: Any) -> None:
    """Send the usual message by a contact's channel."""
    name, _, address = contact.partition(":")
    sender = Sender(httpx.MockTransport(wire))
    await make_channels(settings_with(**more), sender)[name].send(address, message(kind))


@pytest.mark.anyio
@pytest.mark.req("ALD-02", "ALD-06")
@pytest.mark.parametrize(
    "contact", ["slack:", "pagerduty:", "opsgenie:", "telegram:42", "ntfy:https://ntfy.test/topic", "webhook:https://hook.test/"]
)
async def test_every_channel_tells_name_service_and_summary(contact: str) -> None:
    """Each in the form of its service."""
    wire = Wire()
    await send(contact, wire)
    sent = json.dumps(wire.body())
    for part in ("ApiDown", "app", "The API does not answer."):
        assert part in sent


@pytest.mark.anyio
@pytest.mark.req("ALD-06")
async def test_pagers_find_the_beginning_by_the_incident() -> None:
    """PagerDuty resolves under the same key, Opsgenie closes the same alias."""
    wire = Wire()
    await send("pagerduty:", wire)
    await send("pagerduty:", wire, "resolved")
    assert [wire.body(number)["event_action"] for number in (0, 1)] == ["trigger", "resolve"]
    assert wire.body(0)["dedup_key"] == wire.body(1)["dedup_key"] == "a" * 32
    ops = Wire()
    await send("opsgenie:", ops)
    await send("opsgenie:", ops, "resolved")
    assert ops.body(0)["alias"] == "a" * 32
    assert ops.requests[1].url.path == f"/v2/alerts/{'a' * 32}/close"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (429, {"Retry-After": "7"}, TryAgainError),
        (500, {}, TryAgainError),
        (503, {}, TryAgainError),
        (400, {}, RefusedError),
        (404, {}, RefusedError),
        (302, {"Location": "http://169.254.169.254/"}, RefusedError),
    ],
)
async def test_failures_are_told_apart_and_never_show_the_address(status: int, headers: dict[str, str], error: type[Exception]) -> None:
    """Try again or not; a redirect is not followed; no secret of the address in the text."""
    wire = Wire(status, headers)
    with pytest.raises(error) as caught:
        await send("slack:", wire)
    assert "secret" not in str(caught.value)
    assert len(wire.requests) == 1
    if status == 429:
        assert isinstance(caught.value, TryAgainError)
        assert caught.value.after == 7.0


@pytest.mark.anyio
@pytest.mark.req("ALD-13")
@pytest.mark.parametrize(
    ("contact", "setting", "name"),
    [
        ("slack:", "slack_webhook_url", "SLACK_WEBHOOK_URL"),
        ("pagerduty:", "pagerduty_key", "PAGERDUTY_KEY"),
        ("opsgenie:", "opsgenie_key", "OPSGENIE_KEY"),
        ("telegram:1", "telegram_bot_token", "TELEGRAM_BOT_TOKEN"),
    ],
)
async def test_a_channel_without_its_setting_refuses_and_says_which(contact: str, setting: str, name: str) -> None:
    """Nothing is sent, and only this channel is off."""
    channel, _, address = contact.partition(":")
    wire = Wire()
    chosen = settings_with().model_copy(update={setting: SecretStr("")})
    with pytest.raises(RefusedError, match=name):
        await make_channels(chosen, Sender(httpx.MockTransport(wire)))[channel].send(address, message())
    assert wire.requests == []


@pytest.mark.anyio
async def test_webhooks_are_signed_over_their_body() -> None:
    """The receiver can check who sent it."""
    import hashlib
    import hmac

    wire = Wire()
    await send("webhook:https://hook.test/", wire, oncall_webhook_key="w" * 32)
    expected = hmac.new(b"w" * 32, wire.requests[0].content, hashlib.sha256).hexdigest()
    assert wire.requests[0].headers["x-nobet-signature"] == f"sha256={expected}"


@pytest.mark.anyio
async def test_slack_mentions_nobody_by_a_foreign_text() -> None:
    """<!channel>, @here and links in a summary stay text."""
    wire = Wire()
    evil = message("page", incident(annotations={"summary": "<!channel> @here <https://evil|x>", "description": ""}))
    await make_channels(settings_with(), Sender(httpx.MockTransport(wire)))["slack"].send("", evil)
    sent = json.dumps(wire.body()["blocks"][1], ensure_ascii=False)
    assert "<!channel>" not in sent
    assert "<https://evil" not in sent
    assert "@here" not in sent


@given(st.text())
def test_any_retry_after_is_a_bounded_wait_or_none(header: str) -> None:
    """Whatever a server writes there."""
    seconds = retry_after(header)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT_SECONDS
