"""The chain to a real Sentry-compatible server: what arrives there, how it is grouped, and what is not in it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core import context, error_tracking
from app.core.config import load_settings
from app.core.kit import Observability
from tests.support.bugsink import Bugsink
from tests.support.processes import Service
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

SECRETS = {
    "Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2VjcmV0",
    "Cookie": "session=kanarya-cookie",
    "X-Forwarded-For": "203.0.113.77",
}


@pytest.mark.req("SEB-01", "SEB-11", "SEB-23", "TST-06", "ERR-01", "ERR-04", "PRV-09", "PRV-10")
def test_a_crash_is_an_issue_with_the_id_and_nothing_personal(tracker: Bugsink, start: StartService) -> None:
    """One event with tag event_id; no token, cookie, address, query or local value in it."""
    app = start("app", SENTRY_DSN=tracker.dsn)
    answer = httpx.get(f"{app.url}/crash?password=kanarya-query", headers={"X-Event-ID": "bs-crash", **SECRETS}, trust_env=False)
    assert answer.status_code == 500
    ((_, event),) = wait_until("the event arrives", lambda: tracker.of("bs-crash"), 90)
    assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    assert event["tags"]["service"] == "app"
    everything = json.dumps(event)
    for secret in ("kanarya", "eyJ", "203.0.113", '"vars"', '"cookies"'):
        assert secret not in everything


@pytest.mark.req("SEB-02", "SEB-03", "SEB-14", "SEB-19", "TST-06")
def test_an_error_that_was_caught_and_logged_is_an_issue(tracker: Bugsink, start: StartService, tmp_path: Path) -> None:
    """The feed without its table: one event, with the steps and the query before it."""
    database = tmp_path / "broken.db"
    app = start("app", SENTRY_DSN=tracker.dsn, DATABASE_URL=f"sqlite+aiosqlite:///{database}")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE posts")
    assert app.get("/feed", "bs-caught").status_code == 500
    ((_, event),) = wait_until("the event arrives", lambda: tracker.of("bs-caught"), 90)
    assert "query" in [crumb["category"] for crumb in event["breadcrumbs"]["values"]]


@pytest.mark.req("SEB-18", "J-06")
def test_ten_time_outs_with_different_texts_are_one_issue(tracker: Bugsink, tmp_path: Path) -> None:
    """Grouped by their fingerprint, by the server itself."""

    def ask_the_model(number: int) -> None:
        raise TimeoutError(f"processing limit of {number * 100} ms exceeded for request {number}")

    obs = Observability("app", load_settings(_env_file=None, sentry_dsn=tracker.dsn, spool_dir=tmp_path, log_stdout=False))
    for number in range(10):
        with context.run("suggestions", request_id=f"bs-slow-{number}"):
            try:
                ask_the_model(number)
            except TimeoutError as error:
                error_tracking.capture_exception(error)

    def arrived() -> list[Any]:
        return [found for number in range(10) for found in tracker.of(f"bs-slow-{number}")]

    try:
        wait_until("ten events arrive", lambda: len(arrived()) == 10, 90)
    finally:
        obs.close()  # which does not wait for long
    found = arrived()
    assert len({issue for issue, _ in found}) == 1


@pytest.mark.req("SEB-20")
def test_two_instances_report_into_one_project(tracker: Bugsink, start: StartService) -> None:
    """Told apart by server_name."""
    for name in ("one", "two"):
        assert start("app", SENTRY_DSN=tracker.dsn, SENTRY_SERVER_NAME=name).get("/debug", f"bs-{name}").status_code == 500
    names = [wait_until("the event arrives", lambda name=name: tracker.of(f"bs-{name}"), 90)[0][1] for name in ("one", "two")]  # type: ignore[misc]
    assert [event["server_name"] for event in names] == ["one", "two"]


@pytest.mark.req("SEB-22")
def test_a_new_issue_is_told_by_mail(tracker: Bugsink, start: StartService, stack: RunningStack) -> None:
    """Bugsink's own alert, to the inbox of the stack. Slack is set up in its pages; see docs/error-tracking.md."""
    start("app", SENTRY_DSN=tracker.dsn).get("/crash", "bs-mail")

    def mails() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{stack.url('inbox')}/email", trust_env=False).raise_for_status().json()
        return [mail for mail in found if "ZeroDivisionError" in mail["subject"] and "new issue" in mail["subject"].lower()]

    wait_until("the mail about the issue", mails, 90)


@pytest.mark.req("SEB-23")
def test_the_administrator_can_sign_in(tracker: Bugsink, stack: RunningStack) -> None:
    """With the generated password; nobody had to make the account."""
    with httpx.Client(base_url=tracker.url, trust_env=False, follow_redirects=True, timeout=60) as browser:
        page = browser.get("/accounts/login/")
        form = {"username": "admin@nobet.example", "password": stack.secret("ERROR_TRACKER_ADMIN_PASSWORD")}
        form["csrfmiddlewaretoken"] = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        after = browser.post("/accounts/login/", data=form, headers={"Referer": f"{tracker.url}/accounts/login/"})
    assert after.status_code == 200
    assert "/accounts/login" not in str(after.url)
