"""J-16: the error rate rises, nobody answers, the next level is called, somebody takes it, and everybody hears the end."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from html import unescape
from typing import Any

import httpx
import pytest

from tests.support.slack_catcher import SlackCatcher
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ALERT_SECONDS = 240
"""Rules hold a tenth of their time here; Alertmanager waits for company, and the window of the rate has to fill and to empty."""


@contextmanager
def failing_traffic(app: httpx.Client) -> Iterator[Callable[[], None]]:
    """One request in three fails, as long as the block lasts or until the function that it gives is called."""
    over = threading.Event()

    def send() -> None:
        with httpx.Client(base_url=str(app.base_url), timeout=30) as client:
            while not over.is_set():
                for path in ("/feed?limit=1", "/feed?limit=2", "/crash"):
                    with suppress(httpx.HTTPError):
                        client.get(path)
                over.wait(0.1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield over.set
    finally:
        over.set()
        thread.join()


@pytest.mark.req("ALR-01", "ALR-02", "ALD-01", "ALD-02", "ALD-03", "ALD-06", "ALD-08", "ALD-11", "ALD-12", "ALD-14", "ALD-15", "J-16")
def test_without_an_answer_the_next_level_is_called_until_somebody_takes_it(
    world: RunningStack, stores: Stores, app: httpx.Client, slack: SlackCatcher, pager: SlackCatcher
) -> None:
    """Mail, Slack, PagerDuty, then the second person; the mail's link acknowledges; the end reaches all; nothing comes twice."""
    token = {"Authorization": f"Bearer {world.secret('ONCALL_TOKEN')}"}

    def incidents(rest: str = "") -> Any:
        return httpx.get(f"{world.url('oncall')}/api/incidents{rest}", headers=token, timeout=10).raise_for_status().json()

    def is_quiet() -> bool:
        earlier = [found for found in incidents("?all=true") if found["alertname"] == "HighErrorRate"]
        messages = [message for found in earlier for message in incidents(f"/{found['id']}")["messages"]]
        return all(found["resolved_at"] for found in earlier) and all(message["state"] != "pending" for message in messages)

    wait_until("the error rate of earlier tests being over", is_quiet, ALERT_SECONDS)
    began = time.time()
    seen = {"mail": len(stores.mails("HighErrorRate")), "slack": len(slack.messages), "pager": len(pager.messages)}

    def mails(to: str, word: str) -> list[dict[str, Any]]:
        fresh = stores.mails("HighErrorRate")[seen["mail"] :]
        return [mail for mail in fresh if word in mail["subject"] and any(entry["address"] == to for entry in mail["to"])]

    def slacks(word: str) -> list[str]:
        told = [json.dumps(message, ensure_ascii=False) for message in slack.messages[seen["slack"] :]]
        return [text for text in told if "HighErrorRate" in text and word in text]

    def is_critical(text: str) -> bool:
        """The subject says so, unless the same traffic raised a second incident: then it names both, and says no more."""
        return "FIRING CRITICAL" in text or re.search(r"\[FIRING\] \d+ incidents: ", text) is not None

    def actions() -> list[str]:
        return [event["event_action"] for event in pager.messages[seen["pager"] :]]

    with failing_traffic(app) as heal:
        wait_until("HighErrorRate firing", lambda: stores.query('ALERTS{alertname="HighErrorRate", alertstate="firing"}'), ALERT_SECONDS)
        first = wait_until("a mail to the first level", lambda: mails("oncall@localhost", "FIRING"), ALERT_SECONDS)
        assert is_critical(first[0]["subject"])
        in_slack = wait_until("a message in Slack", lambda: slacks("FIRING"), 60)
        assert is_critical(in_slack[0])
        wait_until("an event at PagerDuty", lambda: "trigger" in actions(), 60)
        assert mails("second@localhost", "FIRING") == [], "the second level has half a minute more"
        second = wait_until("a mail to the second level", lambda: mails("second@localhost", "FIRING CRITICAL"), 120)

        link = re.search(r"http\S+/acknowledge\?token=\S+", unescape(second[0]["text"]))
        assert link is not None
        assert httpx.get(link[0], timeout=30).status_code == 200
        (incident,) = [found for found in incidents() if found["alertname"] == "HighErrorRate"]
        assert incident["state"] == "notified", "to look is not to answer"
        taken = httpx.post(f"{world.url('oncall')}/acknowledge", data={"token": link[0].partition("token=")[2]}, timeout=30)
        assert "You have it" in taken.text
        wait_until("Slack hearing who has it", lambda: slacks("ACKNOWLEDGED"), 60)
        heal()
        wait_until(
            "the end in a mail", lambda: mails("oncall@localhost", "RESOLVED") and mails("second@localhost", "RESOLVED"), ALERT_SECONDS
        )
        wait_until("the end in Slack and at PagerDuty", lambda: slacks("RESOLVED") and "resolve" in actions(), 60)

    for to in ("oncall@localhost", "second@localhost"):
        assert (len(mails(to, "FIRING")), len(mails(to, "RESOLVED"))) == (1, 1), to
    assert (len(slacks("FIRING")), len(slacks("RESOLVED"))) == (1, 1)
    assert [action for action in actions() if action != "acknowledge"] == ["trigger", "resolve"]
    text = first[0]["text"]
    for part in ("HighErrorRate (critical) on app", "Since ", "Runbook: ", "Dashboard: "):
        assert part in text
    assert "lasted" in mails("oncall@localhost", "RESOLVED")[0]["text"]

    history = incidents(f"/{incident['id']}")
    steps = [line["what"].replace("reopened", "opened") for line in history["timeline"] if line["at"] >= began]
    order = [steps.index(step) for step in ("opened", "page sent", "acknowledged", "resolved")]
    assert order == sorted(order)
    assert (history["state"], history["acknowledged_by"]) == ("resolved", "second")
    assert stores.query('count_over_time(ALERTS{alertname="HighErrorRate", alertstate="firing"}[15m])')
    secrets = (world.secret("ONCALL_TOKEN"), "key-of-the-pager", "secret-path")
    told = {"bool": {"filter": [{"prefix": {"event": "oncall."}}]}}
    steps_told = {"oncall.opened", "oncall.escalated", "oncall.notified", "oncall.acknowledged"}
    wait_until("the records of the on-call service", lambda: steps_told <= {record["event"] for record in stores.logs(told)}, 60)
    assert not [secret for secret in secrets if secret in json.dumps(stores.logs(told))]
    for name in ("notify", "acknowledge", "resolve"):
        counted = f"oncall_{name}_seconds_count"
        wait_until(f"{counted} in Prometheus", lambda counted=counted: stores.value(counted) >= 1, 30)  # type: ignore[misc]
