"""The page at :8030 in a real Chromium: by keyboard alone, for a screen reader, on a phone, by day and at night."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.oncall import BEARER, PASSWORD, Phone, Replica, Replicas, alert, escalation
from tests.support.oncall_page import CONTRAST, SMALL, OncallPage
from tests.support.waiting import wait_until

NAMELESS = {"button", "link", "textbox", "combobox", "spinbutton", "DisclosureTriangle", "region", "navigation", "table"}
"""Roles that must have a name."""


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A service of one process over SQLite with three incidents, one of them with a label of no end."""
    folder = tmp_path_factory.mktemp("page")
    people = {"ayse": {"name": "Ayşe Yılmaz", "contacts": ["email:ayse@example.com"]}}
    with Phone() as phone:
        policy = escalation([phone.contact()]) | {"people": people}
        with Replicas(folder, f"sqlite+aiosqlite:///{folder / 'oncall.db'}", policy) as team:
            one = team.new().wait()
            one.post(alert("ApiDown", instance="10.0.0.1:8000"), alert("SlowResponse", severity="warning", endpoint="/x" * 90))
            one.post(alert("TelemetryDropped", severity="info"))
            wait_until("all are told", lambda: {found["state"] for found in one.incidents()} == {"notified"}, 60)
            yield one


@pytest.fixture(scope="module")
def page(replica: Replica) -> Iterator[OncallPage]:
    """Signed in, by keyboard."""
    with OncallPage() as browser:
        browser.screen(1280, 800, phone=False)
        browser.visit(f"{replica.url}/sign-in")
        browser.tab_to("Password")
        browser.write(PASSWORD)
        browser.press("Enter")
        browser.arrives_at("/")
        yield browser


def ident(replica: Replica, name: str) -> str:
    """Of the incident of that name."""
    return str(next(found["id"] for found in replica.incidents() if found["alertname"] == name))


def paths(replica: Replica) -> list[str]:
    """Every page that a signed-in person sees."""
    return ["/", "/?all=true", *(f"/incidents/{ident(replica, name)}" for name in ("ApiDown", "SlowResponse")), "/sign-in"]


def test_a_screen_reader_finds_landmarks_headings_and_a_name_for_everything(page: OncallPage, replica: Replica) -> None:
    """One main, one top heading, the banner; no button, link, field, table or region without a name."""
    for path in paths(replica):
        page.visit(replica.url + path)
        told = page.told_to_screen_readers()
        roles = [role for role, _ in told]
        assert roles.count("main") == 1, path
        assert page.run("document.querySelectorAll('h1').length") == 1, path
        assert path == "/sign-in" or "banner" in roles, path
        assert page.run("document.documentElement.lang") == "en"
        assert [role for role, name in told if role in NAMELESS and not name.strip() and role != "table"] == [], path


def test_every_text_has_contrast_by_day_and_at_night(page: OncallPage, replica: Replica) -> None:
    """4.5 : 1 at least, in both colour schemes."""
    for dark in (False, True):
        page.screen(1280, 800, phone=False, dark=dark)
        for path in paths(replica):
            page.visit(replica.url + path)
            assert page.run(CONTRAST) == [], (path, dark)


def test_a_phone_never_scrolls_sideways_and_a_finger_hits_everything(page: OncallPage, replica: Replica) -> None:
    """At 320 and 390 pixels, with a label that has no end."""
    folder = os.environ.get("ONCALL_SCREENSHOTS")
    for width in (320, 390):
        page.screen(width, 740, phone=True)
        for number, path in enumerate(paths(replica)):
            page.visit(replica.url + path)
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            wide = "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).length"
            assert page.run(wide) == 0, (path, width)
            assert page.run(SMALL) == [], path
            if folder:
                page.photograph(Path(folder) / f"phone-{width}-{number}.png")
    page.screen(1280, 800, phone=False)


def test_by_keyboard_alone_one_takes_an_incident_and_hands_it_back(page: OncallPage, replica: Replica) -> None:
    """The first Tab offers to skip to the content; then the list's button, the incident's page, and its button to give back."""
    page.visit(f"{replica.url}/")
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    assert page.run("document.activeElement.getBoundingClientRect().left >= 0"), "it can be seen when it has the focus"
    page.tab_to("Acknowledge ApiDown")
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.press("Enter")
    page.arrives_at(f"/incidents/{ident(replica, 'ApiDown')}")
    (found,) = [one for one in replica.incidents() if one["alertname"] == "ApiDown"]
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "ayse")
    page.tab_to("Give back")
    page.press("Enter")
    wait_until(
        "it is given back",
        lambda: next(one["acknowledged_by"] for one in replica.incidents() if one["alertname"] == "ApiDown") is None,
        30,
    )
    assert httpx.get(f"{replica.url}/api/incidents/{found['id']}", headers=BEARER).json()["episode"] == 2
