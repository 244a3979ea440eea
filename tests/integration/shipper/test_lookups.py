"""What people ask Elasticsearch, on the real server: the documented look-ups, the mapping's promises, everybody's rights."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core import context
from app.core.config import Settings
from app.core.logger import get_logger
from tests.support.records import logging_to
from tests.support.shipping import Shipping
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

log = get_logger("tests.lookups")


@pytest.fixture(scope="module")
def shipped(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    """Records of two services, written by the real logger and shipped."""
    stack.need("elasticsearch")
    shipping = Shipping(stack, tmp_path_factory.mktemp("lookups"))
    try:
        shipping.set_up()
        _write(shipping.spool)
        shipping.start()
        wait_until("the records arrive", lambda: shipping.count() and _are_there(shipping), 60)
        yield shipping
    finally:
        shipping.close()


def _are_there(shipping: Shipping) -> bool:
    """Whether those of each service are, the shipper's own among them."""
    least = {"app": 5, "voice": 1, "shipper": 1}
    return all(shipping.count_of(service_name=[name]) >= count for name, count in least.items())


def _write(spool: Path) -> None:
    with logging_to(spool, service_name="app"):
        token = context.replace({"request_id": "123", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
        log.info("Feed requested", event="feed.requested", user_id="42")
        log.error("An error stopped the feed", event="feed.failed", user_id="42", tenant="acme", attempt=2)
        log.warning("Işık söndü, çok üzgünüm", event="suggestion.failed")
        context.restore(token)
        token = context.replace({"request_id": "124"})
        log.info("Another request", user_id={"not": "a text"}, order={"id": 7, "lines": [1, 2]}, count=2**70)
        log.info("And one more", user_id=42, order="a text this time")
        context.restore(token)
    with logging_to(spool, service_name="voice"):
        log.info("Suggestions made", event="voice.suggested", request_id="123")


def search(shipping: Shipping, query: str, user: str = "reader") -> list[dict[str, object]]:
    """`GET PREFIX-*/_search?…` as a person would send it, as nobet_<user>; the documents that it finds."""
    answer = httpx.get(
        f"{shipping.url}/{shipping.prefix}-*/_search?{query}", auth=shipping.stack.sign_in(user), trust_env=False, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return [hit["_source"] for hit in answer.json()["hits"]["hits"]]


def messages(found: list[dict[str, object]]) -> set[object]:
    """Their messages."""
    return {document["message"] for document in found}


@pytest.mark.req("SHP-02", "SHP-03", "SHP-11")
def test_todays_index_is_listed(shipped: Shipping) -> None:
    """`_cat/indices?v` shows one index of today, for people and for the reader."""
    (day,) = {str(document["timestamp"])[:10].replace("-", ".") for document in search(shipped, "size=100")}
    for user in ("admin", "reader"):
        answer = httpx.get(f"{shipped.url}/_cat/indices?v", auth=shipped.stack.sign_in(user), trust_env=False, timeout=60)
        assert answer.status_code == 200
        assert answer.text.startswith("health")
        assert f"{shipped.prefix}-{day}" in answer.text


@pytest.mark.req("SHP-03")
def test_the_root_address_says_that_it_lives(shipped: Shipping) -> None:
    """`curl ELASTICSEARCH_URL` answers with name and version."""
    answer = httpx.get(shipped.url, auth=shipped.stack.sign_in("admin"), trust_env=False, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["version"]["number"].startswith("8.")


@pytest.mark.req("SHP-03", "SHP-04", "COR-16")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=error", {"An error stopped the feed"}),
        ("q=level:ERROR", {"An error stopped the feed"}),
        ("q=level:error", {"An error stopped the feed"}),
        ("q=log_level:ERROR", {"An error stopped the feed"}),
        ("q=request_id:123", {"Feed requested", "An error stopped the feed", "Işık söndü, çok üzgünüm", "Suggestions made"}),
        ("q=correlation_id:124", {"Another request", "And one more"}),
        ("q=event_id:124", {"Another request", "And one more"}),
        ("q=message:stopped", {"An error stopped the feed"}),
        ("q=message:üzgünüm", {"Işık söndü, çok üzgünüm"}),
        ("q=event:feed.requested", {"Feed requested"}),
        ("q=service_name:voice", {"Suggestions made"}),
        ("q=user_id:42 AND level:error", {"An error stopped the feed"}),
        ("q=extra.tenant:acme", {"An error stopped the feed"}),
        ("q=extra.order.id:7", {"Another request"}),
        (
            "q=trace_id:4bf92f3577b34da6a3ce929d0e0e4736",
            {"Feed requested", "An error stopped the feed", "Işık söndü, çok üzgünüm", "Suggestions made"},
        ),
    ],
)
def test_documented_searches_find_what_they_should(shipped: Shipping, query: str, found: set[str]) -> None:
    """Full text, either case of a level, any id under any of its names, declared fields and free ones: exactly the matching records."""
    expected = found - {"Suggestions made"} if "trace_id" in query else found
    assert messages(search(shipped, f"{query}&size=100")) == expected


@pytest.mark.req("SHP-05", "LOG-29")
def test_one_search_shows_all_services(shipped: Shipping) -> None:
    """app, voice and the shipper itself are in one place and separable."""
    assert {document["service_name"] for document in search(shipped, "size=100")} == {"app", "voice", "shipper"}


@pytest.mark.req("SHP-06")
def test_conflicting_extras_are_no_trouble(shipped: Shipping) -> None:
    """The same stray key with other types, and values that don't fit their field: indexed, none refused."""
    assert messages(search(shipped, "q=request_id:124")) == {"Another request", "And one more"}
    assert shipped.dead_letters() == []


def test_records_sort_in_the_order_of_microseconds(shipped: Shipping) -> None:
    """Records of the same millisecond come back in the order in which they were written."""
    stamps = [f"2026-11-22T10:00:00.{micros:06d}Z" for micros in (123456, 123455, 123457, 123001, 123999)]
    index = f"{shipped.prefix}-sorting"
    body = b"".join(b'{"create":{}}\n' + json.dumps({"timestamp": stamp, "logger": "sorting"}).encode() + b"\n" for stamp in stamps)
    answer = httpx.post(
        f"{shipped.url}/{index}/_bulk?refresh=true",
        content=body,
        headers={"content-type": "application/x-ndjson"},
        auth=shipped.stack.sign_in("admin"),
        trust_env=False,
        timeout=60,
    )
    assert answer.json()["errors"] is False
    for name in ("timestamp", "@timestamp"):
        found = search(shipped, f"q=logger:sorting&sort={name}:asc")
        assert [document["timestamp"] for document in found] == sorted(stamps)
    later = search(shipped, 'q=@timestamp:["2026-11-22T10:00:00.123456Z" TO "2026-11-22T10:00:00.123457Z"] AND logger:sorting')
    assert {document["timestamp"] for document in later} == set(stamps[:1] + stamps[2:3])
    shipped.admin.indices.delete(index=index)


@pytest.mark.req("COR-18")
def test_ids_are_exact_terms(shipped: Shipping) -> None:
    """Ids, levels, events and services are keywords, messages are text, times are dates with nanoseconds; strays are not mapped."""
    (mapping,) = shipped.admin.indices.get_mapping(index=f"{shipped.prefix}-*").body.values()
    properties = mapping["mappings"]["properties"]
    keywords = ("request_id", "trace_id", "span_id", "call_sid", "user_id", "level", "event", "service_name")
    assert {properties[name]["type"] for name in keywords} == {"keyword"}
    assert (properties["message"]["type"], properties["timestamp"]["type"], properties["extra"]["type"]) == (
        "text",
        "date_nanos",
        "flattened",
    )
    assert mapping["mappings"]["dynamic"] == "false"


RIGHTS = {
    # what → (method, path behind the address, body), who may
    "create a log": ("POST", "/{index}/_bulk", '{{"create":{{}}}}\n{{"timestamp":"2026-11-22T10:00:00.000000Z"}}\n', {"admin", "shipper"}),
    "create a dead letter": (
        "POST",
        "/{dead}-2026.11.22/_bulk",
        '{{"create":{{}}}}\n{{"timestamp":"2026-11-22T10:00:00.000000Z"}}\n',
        {"admin", "shipper"},
    ),
    "overwrite a log": ("POST", "/{index}/_bulk", '{{"index":{{"_id":"x"}}}}\n{{"timestamp":"2026-11-22T10:00:00.000000Z"}}\n', {"admin"}),
    "create elsewhere": ("POST", "/elsewhere/_bulk", '{{"create":{{}}}}\n{{"a":1}}\n', {"admin"}),
    "search logs": ("GET", "/{index}/_search", "", {"admin", "reader"}),
    "search elsewhere": ("GET", "/elsewhere/_search", "", {"admin"}),
    "delete a log index": ("DELETE", "/{dead}-2026.11.22", "", {"admin"}),
    "read templates": ("GET", "/_index_template", "", {"admin"}),
    "change the cluster": ("PUT", "/_cluster/settings", '{{"persistent":{{"cluster.max_shards_per_node":null}}}}', {"admin"}),
}


@pytest.mark.req("SHP-11", "ACC-02")
@pytest.mark.parametrize("user", ["shipper", "reader", "admin"])
@pytest.mark.parametrize("what", RIGHTS)
def test_everybody_may_do_their_work_and_no_more(shipped: Shipping, what: str, user: str) -> None:
    """The shipper adds, the reader reads, and neither does anything else."""
    method, path, body, allowed = RIGHTS[what]
    facts = {"index": f"{shipped.prefix}-rights", "dead": shipped.dead}
    shipped.admin.options(ignore_status=400).indices.create(index="elsewhere")
    shipped.admin.options(ignore_status=400).indices.create(index=facts["index"])
    shipped.admin.options(ignore_status=400).indices.create(index=f"{shipped.dead}-2026.11.22")
    answer = httpx.request(
        method,
        shipped.url + path.format(**facts),
        content=body.format(**facts) or None,
        headers={"content-type": "application/x-ndjson" if "_bulk" in path else "application/json"},
        auth=shipped.stack.sign_in(user),
        trust_env=False,
        timeout=60,
    )
    refused = answer.status_code == 403 or (answer.status_code == 200 and answer.json().get("errors") is True)
    shipped.admin.options(ignore_status=404).indices.delete(index=facts["index"])
    shipped.admin.options(ignore_status=404).indices.delete(index="elsewhere")
    assert (not refused) == (user in allowed), answer.text


@pytest.mark.req("SHP-11")
def test_nobody_gets_in_without_the_right_password(shipped: Shipping) -> None:
    """No credentials and wrong ones are answered with 401."""
    for auth in (None, ("nobet_reader", "wrong"), ("elastic", "changeme")):
        assert httpx.get(f"{shipped.url}/_search", auth=auth, trust_env=False, timeout=60).status_code == 401


@pytest.mark.req("SHP-09")
def test_set_up_again_changes_nothing_and_shards_can_be_set(shipped: Shipping, capsys: pytest.CaptureFixture[str]) -> None:
    """The set-up step may be repeated; a changed number of shards holds for new indices."""
    from app.core.config import load_settings
    from app.shipper import setup

    def settings(**changes: int) -> Settings:
        password = shipped.stack.sign_in("admin")[1]
        return load_settings(
            elasticsearch_url=shipped.url, elasticsearch_admin_password=password, log_index_prefix=shipped.prefix, **changes
        )

    assert setup.run(settings()) == 0
    assert capsys.readouterr().out.count("unchanged") == 3
    assert setup.run(settings(elasticsearch_shards=2)) == 0
    assert capsys.readouterr().out.count("replaced") == 3
    index = f"{shipped.prefix}-2026.01.01"
    shipped.admin.indices.create(index=index)
    found = shipped.admin.indices.get_settings(index=index).body[index]["settings"]["index"]["number_of_shards"]
    assert found == "2"
    shipped.admin.indices.delete(index=index)
    assert setup.run(settings()) == 0


def test_set_up_says_what_is_wrong(shipped: Shipping, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password and an absent server each end in one sentence and exit code 1."""
    from app.core.config import load_settings
    from app.shipper import setup

    monkeypatch.setattr(setup, "WAIT_SECONDS", 0.1)
    assert setup.run(load_settings(elasticsearch_url=shipped.url, elasticsearch_admin_password="wrong")) == 1
    assert "ELASTICSEARCH_ADMIN_PASSWORD" in capsys.readouterr().err
    assert setup.run(load_settings(elasticsearch_url="http://127.0.0.1:1")) == 1
    assert "was not ready within" in capsys.readouterr().err
