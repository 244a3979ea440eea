"""FAULTS 24 and 25: mail servers that refuse or dribble, a Slack that is busy, webhooks and links from whoever."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.config.smtp_inbox import SmtpInbox
from tests.integration.oncall.conftest import MakeReplicas
from tests.support.oncall import Phone, Replica, ScriptedSlack, alert, escalation
from tests.support.processes import free_port
from tests.support.receiver import Reply
from tests.support.servers import Postgres
from tests.support.waiting import wait_until

PATIENCE = 60


@contextmanager
def tarpit(port: int) -> Iterator[list[socket.socket]]:
    """A mail server that begins its greeting and never comes to its end, a letter every now and then; gives the connections."""
    held: list[socket.socket] = []
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", port))

    def dribble(connection: socket.socket) -> None:
        try:
            while not over.wait(0.2):
                connection.sendall(b"2")
        except OSError:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=dribble, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield held
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()


def person(*contacts: str) -> dict[str, Any]:
    """A policy in which one person is called."""
    return escalation(["person:ayse"]) | {"people": {"ayse": {"name": "Ayşe", "contacts": list(contacts)}}}


def states(replica: Replica, name: str) -> dict[str, str]:
    """Channel → state of the messages about an alert."""
    (found,) = [incident for incident in replica.incidents() if incident["alertname"] == name]
    return {message["channel"]: message["state"] for message in replica.incident(found["id"])["messages"]}


@pytest.mark.req("ALD-01", "ALD-11")
def test_a_mail_server_that_refuses_or_dribbles_makes_way_for_the_next_contact_and_gets_the_mail_later(replicas: MakeReplicas) -> None:
    """Nobody listens, then a tarpit: the phone rings at the first failure each time; with a working server both mails arrive, once."""
    port = free_port()
    with Phone() as phone:
        team = replicas(
            person("email:ayse@example.com", phone.contact()), claim=14.0, attempt=10.0, SMTP_SERVER="127.0.0.1", SMTP_PORT=str(port)
        )
        replica = team.new().wait()
        replica.post(alert("Refused"))
        wait_until("the phone rings about the refused mail", lambda: phone.pages()["/ Refused"], PATIENCE)
        with tarpit(port) as connections:
            replica.post(alert("Dribbled"))
            wait_until("the phone rings about the dribbled mail", lambda: phone.pages()["/ Dribbled"], PATIENCE)
            assert connections
            assert httpx.get(f"{replica.url}/health/live", timeout=30).status_code == 200
        with SmtpInbox(port) as inbox:
            wait_until("both mails", lambda: all(states(replica, name).get("email") == "sent" for name in ("Refused", "Dribbled")), 120)
            bodies = [body.get_content() for mail in inbox.messages if (body := mail.get_body(("plain",)))]
        assert [sum(f"{name} (critical)" in body for body in bodies) for name in ("Refused", "Dribbled")] == [1, 1]
        assert phone.pages() == {"/ Refused": 1, "/ Dribbled": 1}


@pytest.mark.req("ALD-02", "ALD-15")
def test_a_busy_slack_is_asked_again_when_it_said_and_a_broken_one_later(replicas: MakeReplicas, postgres: Postgres) -> None:
    """429 with Retry-After 3, then 500, then it takes it: three tries, none too early, one message; its address is in no record."""
    script = (Reply(429, headers={"Retry-After": "3"}), Reply(500))
    with ScriptedSlack(*script) as slack:
        replica = replicas(escalation(["slack:"]), SLACK_WEBHOOK_URL=slack.url).new().wait()
        replica.post(alert("Busy"))
        wait_until("the message is taken", lambda: slack.taken, PATIENCE)
        wait_until("it is marked", lambda: states(replica, "Busy") == {"slack": "sent"}, PATIENCE)
        first, second, third = slack.asked_at
        assert second - first >= 3
        assert third - second >= 5
        assert "Busy" in str(slack.taken)
    assert "secret-path" not in postgres.ask("SELECT string_agg(detail, ' ') FROM oncall_timeline")


@pytest.mark.req("ACC-09")
def test_forged_webhooks_are_refused_and_a_mail_scanner_acknowledges_nothing(replicas: MakeReplicas) -> None:
    """FAULTS 25, with the link of a real mail: whoever opens it sees; only its button acknowledges. A forged one does neither."""
    with SmtpInbox() as inbox:
        team = replicas(escalation(["email:ayse@example.com"]), SMTP_SERVER="127.0.0.1", SMTP_PORT=str(inbox.port))
        replica = team.new().wait()
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert httpx.post(f"{replica.url}/api/alerts", json={"alerts": [alert("Forged")]}, headers=headers).status_code == 401
        replica.post(alert("Real"))
        (mail,) = wait_until("the mail", lambda: inbox.messages, PATIENCE)
        body = mail.get_body(("plain",))
        assert body is not None
        (link,) = re.findall(r"Acknowledge: (\S+)", body.get_content())
        for method in ("GET", "HEAD", "GET"):
            assert httpx.request(method, link).status_code in (200, 405)
        wait_until("the mail is marked", lambda: [found["state"] for found in replica.incidents()] == ["notified"], PATIENCE)
        token = link.partition("token=")[2]
        forged = httpx.post(f"{replica.url}/acknowledge", data={"token": token[:-2] + "xx"})
        assert forged.status_code == 403
        assert [found["state"] for found in replica.incidents()] == ["notified"]
        assert "You have it" in httpx.post(f"{replica.url}/acknowledge", data={"token": token}).text
        assert [found["state"] for found in replica.incidents()] == ["acknowledged"]
        assert [found["alertname"] for found in replica.incidents()] == ["Real"]
