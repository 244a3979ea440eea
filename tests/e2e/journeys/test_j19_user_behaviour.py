"""J-19: what users do is counted in both stores, names nobody, and goes when its user asks for it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from websockets.sync.client import connect

from app.core.config import load_settings
from app.core.pseudonyms import Pseudonyms
from tests.support.evidence import chain
from tests.support.processes import CHECKOUT
from tests.support.servers import Postgres
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import PASSWORD, SignedInUser, new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-19", "ANA-01", "ANA-02", "ANA-03", "ANA-04", "ANA-05", "ANA-13", "WSC-08")]

MESSAGES: Final = ("Good night, watch", "All quiet since midnight", "Coffee?")
TYPES: Final = ("login", "chat_start", "message_sent", "image_generated")
ARRIVAL_SECONDS: Final = 40
PERSONAL: Final = (*MESSAGES, PASSWORD, "a lighthouse at night", "ada@example.org")


def _ref(world: RunningStack, user_id: str) -> str:
    """The user's pseudonym, as only who has the key can make it."""
    found = Pseudonyms(load_settings(_env_file=None, analytics_key=world.secret("ANALYTICS_KEY"))).of(user_id)
    assert found is not None
    return found.user_ref


def _behave(world: RunningStack, app: httpx.Client, user: SignedInUser) -> str:
    """A chat with three messages, a picture, and what the web client noticed by itself. Returns the id of the last request."""
    chat = app.post("/api/chat", json={"model": "gpt-4"}, headers=user.headers)
    assert chat.status_code == 201, chat.text
    url = world.url("app").replace("http", "ws") + chat.json()["websocket"]
    with connect(url, additional_headers=user.headers, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "chat_id": chat.json()["chat_id"]}))
        _hear(socket, "hello")
        for number, text in enumerate(MESSAGES):
            socket.send(json.dumps({"type": "message", "id": f"m{number}", "text": text}))
            _hear(socket, "ack")
    picture = app.post("/api/images", json={"prompt": "a lighthouse at night", "model": "flux", "size": "1024x1024"}, headers=user.headers)
    assert picture.status_code == 201, picture.text
    seen = [
        {"event_type": "feed_load_failed", "properties": {"reason": "offline", "platform": "web"}},
        {"event_type": "chat_start", "properties": {"model": "gpt-4", "email": "ada@example.org"}},
    ]
    answer = app.post("/api/events", json={"source": "web", "events": seen}, headers=user.headers)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (202, 1, 1)
    return answer.headers["x-request-id"]


def _hear(socket: Any, kind: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        message: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came")


def _counts(stores: Stores, ref: str) -> dict[tuple[str, str], int]:
    """Events of a user by type and source, as stored in Elasticsearch."""
    found: dict[tuple[str, str], int] = {}
    for event in stores.logs({"term": {"user_ref": ref}}, "events-*"):
        key = event["event_type"], event["source"]
        found[key] = found.get(key, 0) + 1
    return found


def _per_type_and_day(world: RunningStack) -> dict[str, int]:
    """The query of a Grafana panel: terms of event_type in a date histogram of days."""
    body = {
        "size": 0,
        "query": {"range": {"timestamp": {"gte": "now-1d"}}},
        "aggs": {
            "types": {
                "terms": {"field": "event_type", "size": 50},
                "aggs": {"days": {"date_histogram": {"field": "timestamp", "calendar_interval": "day"}}},
            }
        },
    }
    search = f"{world.url('elasticsearch')}/events-*/_search"
    answer = httpx.post(search, json=body, auth=world.sign_in("reader"), timeout=60).raise_for_status().json()
    buckets = answer["aggregations"]["types"]["buckets"] if "aggregations" in answer else []
    return {bucket["key"]: sum(day["doc_count"] for day in bucket["days"]["buckets"]) for bucket in buckets}


def _in_prometheus(stores: Stores, name: str) -> float:
    return stores.value(f'sum(tracked_events_total{{job="app", event_type="{name}"}})')


def _nobet(world: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=world.environment, capture_output=True, text=True, check=False, timeout=180)


@pytest.fixture
def before(world: RunningStack, stores: Stores) -> dict[str, tuple[float, int]]:
    """Type → what Prometheus and the panel counted before anybody of this journey signed in."""
    stores.caught_up()
    panel = _per_type_and_day(world)
    return {name: (_in_prometheus(stores, name), panel.get(name, 0)) for name in TYPES}


@pytest.fixture
def ayse(world: RunningStack, app: httpx.Client) -> Iterator[SignedInUser]:
    """A user of this journey; what is known about her goes at the end in any case."""
    user = new_user(app, "j19")
    yield user
    _nobet(world, "erase-user", user.user_id, "--yes", "--mode=native")


def test_what_a_user_does_is_counted_and_names_nobody(
    world: RunningStack, stores: Stores, app: httpx.Client, before: dict[str, tuple[float, int]], ayse: SignedInUser
) -> None:
    """Counts per type in both stores and in Prometheus; no text, name or id of hers in either store."""
    ref = _ref(world, ayse.user_id)
    _behave(world, app, ayse)
    expected = {
        ("login", "backend"): 1,
        ("chat_start", "backend"): 1,
        ("message_sent", "backend"): len(MESSAGES),
        ("image_generated", "backend"): 1,
        ("feed_load_failed", "web"): 1,
    }
    wait_until("Elasticsearch has them", lambda: _counts(stores, ref) == expected, ARRIVAL_SECONDS)
    postgres = Postgres(world)
    rows = json.loads(
        postgres.ask(f"SELECT json_agg(e)::text FROM (SELECT * FROM tracked_events WHERE user_ref = '{ref}' ORDER BY timestamp) e")  # noqa: S608
    )
    documents = stores.logs({"term": {"user_ref": ref}}, "events-*")
    common = ("id", "event_type", "source", "user_ref", "key_id", "request_id", "properties")
    key = "id"
    assert sorted(({name: row[name] for name in common} for row in rows), key=lambda row: row[key]) == sorted(
        ({name: document[name] for name in common} for document in documents), key=lambda document: document[key]
    )
    by_type = {row["event_type"]: row["properties"] for row in rows}
    assert by_type["chat_start"]["model"] == "gpt-4"
    assert by_type["message_sent"]["message_length"] in {len(text) for text in MESSAGES}
    assert by_type["image_generated"] == {"model": "flux", "size": "1024x1024"}
    stored = json.dumps([rows, documents])
    assert [text for text in (*PERSONAL, ayse.name) if text in stored] == []
    assert all(len(json.dumps({k: v for k, v in document.items() if not k.startswith("_")})) < 1024 for document in documents)
    assert stores.count({"match_phrase": {"message": MESSAGES[1]}}) == 0
    panel = _per_type_and_day(world)
    assert {name: panel.get(name, 0) - before[name][1] >= expected[name, "backend"] for name in TYPES} == dict.fromkeys(TYPES, True)
    wait_until(
        "Prometheus counts them",
        lambda: all(_in_prometheus(stores, name) >= before[name][0] + expected[name, "backend"] for name in TYPES),
        ARRIVAL_SECONDS,
    )
    story = _nobet(world, "story", next(row["request_id"] for row in rows if row["event_type"] == "image_generated"), "--json")
    assert story.returncode == 0, story.stderr
    assert [event["event_type"] for event in json.loads(story.stdout)["tracked_events"]] == ["image_generated"]


@pytest.mark.req("PRV-13")
def test_a_user_s_data_goes_when_she_asks(world: RunningStack, stores: Stores, app: httpx.Client, ayse: SignedInUser) -> None:
    """`nobet erase-user` leaves nothing of hers in either store, and an audit record that doesn't say who she was."""
    ref = _ref(world, ayse.user_id)
    last = _behave(world, app, ayse)
    chain(stores, last)  # what is still on its way to Elasticsearch when she goes would be found after
    chat_over = {"bool": {"filter": [{"term": {"user_id": ayse.user_id}}, {"term": {"event": "websocket.closed"}}]}}
    wait_until("the end of her chat arrived", lambda: stores.count(chat_over, "logs-*"), ARRIVAL_SECONDS)
    wait_until("her events arrived", lambda: len(stores.logs({"term": {"user_ref": ref}}, "events-*")) == 7, ARRIVAL_SECONDS)
    assert stores.count({"term": {"user_id": ayse.user_id}}) > 0
    looked = _nobet(world, "erase-user", ayse.user_id, "--dry-run", "--mode=native")
    assert looked.returncode == 0, looked.stderr
    assert stores.count({"term": {"user_ref": ref}}, "events-*") == 7
    done = _nobet(world, "erase-user", ayse.user_id, "--yes", "--mode=native")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stores.count({"term": {"user_ref": ref}}, "events-*") == 0
    assert stores.count({"term": {"user_id": ayse.user_id}}, "logs-*") == 0
    assert Postgres(world).ask(f"SELECT count(*) FROM tracked_events WHERE user_ref = '{ref}'") == "0"  # noqa: S608
    query = {"bool": {"filter": [{"term": {"event": "user.erased"}}, {"term": {"extra.user_ref": ref}}]}}
    (audit,) = wait_until("the audit record arrives", lambda: stores.logs(query, "logs-*"), ARRIVAL_SECONDS)
    assert audit["outcome"] == "success"
    # As a value or a word: the digits of a small id are in any hash.
    assert ayse.user_id not in (audit["extra"]["user_ref"], audit.get("user_id"), *audit["message"].split())
    assert ayse.name not in json.dumps(audit)
