"""`nobet story` on the whole stack: a request, a call, a chat, and a user's words for a time."""

import datetime as dt
import json
import subprocess
import sys
import uuid
from typing import Any

import httpx
import orjson
import pytest
from websockets.sync.client import connect

from tests.support.stack import RunningStack
from tests.support.stores import Stores, has_jaeger
from tests.support.suggesting import suggested
from tests.support.users import SignedInUser, new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


def story(world: RunningStack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    command = [sys.executable, "-m", "app.cli", "story", *arguments]
    env = {**world.environment, **environment}
    return subprocess.run(command, env=env, cwd=world.folder, capture_output=True, text=True, timeout=90, check=False)


def document(world: RunningStack, ident: str) -> dict[str, Any]:
    """The story as JSON."""
    done = story(world, ident, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def settled(stores: Stores, field: str, ident: str, event: str) -> None:
    """Wait for the record that ends it."""
    query = {"bool": {"filter": [{"term": {field: ident}}, {"term": {"event": event}}]}}
    wait_until(f"{event} of {ident}", lambda: stores.count(query) > 0, 60)


@pytest.fixture(scope="module")
def user(app: httpx.Client) -> SignedInUser:
    """Whose story is told."""
    return new_user(app, "story")


@pytest.mark.req("COR-16", "LOG-24", "TRC-07", "TRC-09")
def test_a_crash_answers_the_five_questions(world: RunningStack, stores: Stores, app: httpx.Client) -> None:
    """Which error, which place, which user, which request, since when: all from one command."""
    ident = f"story-{uuid.uuid4().hex[:8]}"
    for number in (1, 2):
        app.get("/crash", headers={"X-Event-ID": f"{ident}-{number}"})
    for number in (1, 2):
        settled(stores, "request_id", f"{ident}-{number}", "http.request.failed")
    verdict = document(world, f"{ident}-2")["verdict"]
    assert (verdict["kind"], verdict["outcome"], verdict["status_code"]) == ("request", "failed", 500)
    assert verdict["first_error"]["error_type"] == "ZeroDivisionError"
    assert "faults.py" in verdict["first_error"]["location"]
    assert verdict["earlier"]["count"] >= 1
    said = story(world, f"{ident}-2").stdout
    assert "GET /crash crashed after" in said
    assert "ended the same way in the hour before" in said
    assert "\x1b[" not in said
    assert all(line == line.rstrip() for line in said.splitlines())


@pytest.mark.req("COR-16", "TRC-06")
def test_a_request_through_two_services_is_one_story(world: RunningStack, stores: Stores, app: httpx.Client) -> None:
    """Records of both in time, one verdict about the outer one, and the waterfall with both services in it."""
    ident = suggested(app, "story")
    settled(stores, "request_id", ident, "http.request.completed")

    def told() -> dict[str, Any] | None:
        found = document(world, ident)
        ended = {record["service_name"] for record in found["records"] if record.get("event") == "http.request.completed"}
        traced = {span["service"] for trace in found["traces"] for span in trace["spans"]}
        return found if ended == {"app", "voice"} and (not has_jaeger(world) or traced >= {"app", "voice"}) else None

    found = wait_until("the whole story", told, 60) or {}
    assert {record["service_name"] for record in found["records"]} == {"app", "voice"}
    times = [record["timestamp"] for record in found["records"]]
    assert times == sorted(times)
    assert found["verdict"]["kind"] == "request"
    assert found["verdict"]["status_code"] == 200
    if has_jaeger(world):
        assert found["verdict"]["time"][0]["share"] > 0
        assert "suggestion.compute" in story(world, ident[:12]).stdout


@pytest.mark.req("COR-12", "WSC-06")
def test_a_chat_is_one_readable_story(world: RunningStack, stores: Stores, user: SignedInUser) -> None:
    """By the id of its handshake: opened, messages without their text, closed; hundreds of them fit on a screen."""
    ident, text = f"story-{uuid.uuid4().hex[:8]}", "a secret between two"
    url = world.url("app").replace("http", "ws", 1) + "/api/chat/ws"
    with connect(url, additional_headers={"X-Event-ID": ident, **user.headers}, proxy=None) as socket:
        socket.send(orjson.dumps({"type": "hello"}).decode())
        for number in range(8):
            socket.send(orjson.dumps({"type": "message", "id": f"m{number}", "text": text}).decode())
        while orjson.loads(socket.recv(timeout=20)).get("id") != "m7":
            continue
    settled(stores, "request_id", ident, "websocket.closed")
    found = document(world, ident)
    assert found["verdict"]["kind"] == "websocket"
    assert found["verdict"]["worst"]["close_code"] == 1000
    assert found["verdict"]["user_ids"] == [user.user_id]
    said = story(world, ident, "--limit", "6").stdout
    assert "closed with 1000" in said
    assert "⋯" in said
    assert text not in said + json.dumps(found)


@pytest.mark.req("TRC-07", "J-12")
def test_a_call_is_found_by_its_sid(world: RunningStack, stores: Stores, app: httpx.Client, user: SignedInUser) -> None:
    """All turns of a call, each a request with an id of its own, are one story under call_sid."""
    sid = app.post("/api/calls", json={}, headers=user.headers).raise_for_status().json()["call_sid"]
    for _ in range(2):
        app.post(f"/api/calls/{sid}/turns", json={"speech": "a table for four"}, headers=user.headers).raise_for_status()
    app.post(f"/api/calls/{sid}/end", headers=user.headers).raise_for_status()
    settled(stores, "call_sid", sid, "call.ended")

    def told() -> dict[str, Any] | None:
        found = document(world, sid)
        turns = [unit for unit in found["verdict"]["requests"] if unit["endpoint"].endswith("/turns")]
        both = {record["service_name"] for record in found["records"]} >= {"app", "voice"}
        return found if len(turns) == 2 and both else None

    found = wait_until("both turns, by both services", told, 60) or {}
    assert found["verdict"]["kind"] == "call"
    assert f"Story of {sid}" in story(world, sid).stdout


@pytest.mark.req("COR-17", "J-14")
def test_a_users_words_lead_to_the_id(world: RunningStack, stores: Stores, app: httpx.Client, user: SignedInUser) -> None:
    """A user says when it broke: the request is listed with its id, also when the time is that of another zone."""
    ident = f"story-{uuid.uuid4().hex[:8]}"
    app.get("/posts/999999999", headers={"X-Event-ID": ident, **user.headers})
    settled(stores, "request_id", ident, "http.request.completed")
    istanbul = dt.datetime.now(dt.timezone(dt.timedelta(hours=3)))
    done = story(world, "--user", user.user_id, "--at", f"{istanbul:%H:%M:%S}", "--tz", "Europe/Istanbul", "--within", "2")
    assert done.returncode == 0, done.stderr
    assert ident in done.stdout
    listed = json.loads(
        story(world, "--user", user.user_id, "--from", f"{dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5):%H:%M:%S}", "--json").stdout
    )
    assert ident in [request["request_id"] for request in listed["requests"]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("no-such-id-at-all",), 1, "Nothing is known"),
        ((), 2, "Give the id"),
        (("abc123", "--user", "7"), 2, "Give the id"),
        (("--user", "7", "--at", "lunch"), 2, "is no time"),
        (("--user", "nobody-of-this-name", "--at", "00:00"), 1, "No request of user"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(world: RunningStack, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With an exit code that says why, and nothing on standard output."""
    done = story(world, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("environment", "arguments", "coloured"),
    [
        ({}, (), False),
        ({"FORCE_COLOR": "1"}, (), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({"FORCE_COLOR": "1"}, ("--color", "never"), False),
    ],
)
def test_colours_are_where_they_are_wanted(
    world: RunningStack, stores: Stores, app: httpx.Client, environment: dict[str, str], arguments: tuple[str, ...], coloured: bool
) -> None:
    """A pipe has none unless it is asked for; NO_COLOR wins over FORCE_COLOR, the option over both."""
    ident = f"story-{uuid.uuid4().hex[:8]}"
    app.get("/feed", headers={"X-Event-ID": ident})
    settled(stores, "request_id", ident, "http.request.completed")
    said = story(world, ident, *arguments, **environment).stdout
    assert ident in said
    assert ("\x1b[" in said) is coloured
