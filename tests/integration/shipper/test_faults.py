"""The cases of the fault catalogue that concern shipping, against a real Elasticsearch."""

import os
import signal
import time
from pathlib import Path

import pytest

from app.core.spool import list_segments
from app.shipper.reports import QUIET_SECONDS
from tests.support.faultproxy import FaultProxy
from tests.support.producing import record_of
from tests.support.scale import sized
from tests.support.servers import Server
from tests.support.shipping import Shipping
from tests.support.waiting import wait_until

SOON = 60
"""Seconds in which something must have happened; generous, because a busy machine proves nothing."""


@pytest.fixture
def proxy(shipping: Shipping) -> FaultProxy:
    """A proxy in front of Elasticsearch."""
    return FaultProxy("127.0.0.1", shipping.stack.port("elasticsearch"))


@pytest.mark.req("SHP-01", "SHP-07")
def test_everything_written_arrives_once(shipping: Shipping) -> None:
    """The plain case: written while it runs, found in Elasticsearch, and the spool is empty of it."""
    shipping.start()
    with shipping.producer.writing():
        wait_until("some records are written", lambda: len(shipping.producer.written) > 2000, SOON)
    shipping.check_oracle()
    assert shipping.kill(signal.SIGTERM) == 0
    left = sum((shipping.spool / str(name)).stat().st_size for name in list_segments(shipping.spool) if name.service == "app")
    assert left < 20_000 * 2, "delivered segments are removed; the active one may stay"


def test_killed_between_the_answer_and_the_saved_position(shipping: Shipping, proxy: FaultProxy) -> None:
    """Case 2: Elasticsearch took the batch, the shipper died before it knew: sent again, refused as duplicates, stored once."""
    shipping.producer.write(300)
    with proxy:
        proxy.set_mode("hold_answers")
        shipping.start(ELASTICSEARCH_URL=proxy.url)
        unheard = wait_until("Elasticsearch has answered and nobody heard", lambda: proxy.held and shipping.count(), SOON)
        shipping.kill()
    shipping.start()
    shipping.check_oracle()
    assert shipping.metrics()["shipper_records_duplicate_total"] >= unheard


def test_killed_again_and_again_under_load(shipping: Shipping) -> None:
    """Case 3 (in full for five minutes): `kill -9` in the middle of the work again and again; progress, nothing lost, nothing doubled."""

    def indexed() -> float:
        return shipping.metrics()["shipper_records_indexed_total"]

    with shipping.producer.writing(per_round=50):
        for life in range(sized(6, 100)):
            shipping.start(SHIPPER_BATCH_DOCS="100")
            goal = indexed() + 200
            wait_until(f"life {life} makes progress", lambda: indexed() > goal, SOON)  # noqa: B023 (asked at once)
            shipping.kill()
    shipping.start()
    shipping.check_oracle()


def test_segments_truncated_inside_a_record(shipping: Shipping) -> None:
    """Case 4: of a cut segment everything before the cut arrives, its neighbours too, and the torn pieces are counted."""
    shipping.producer.write(400)
    shipping.producer.close()
    names = [name for name in list_segments(shipping.spool) if name.service == "app"]
    assert len(names) >= 4
    lost: set[str] = set()
    for name in (names[1], names[-1]):
        path = shipping.spool / str(name)
        content = path.read_bytes()
        os.truncate(path, len(content) - 300)
        lost |= {ident for ident in shipping.producer.written if ident.encode() in content and ident.encode() not in path.read_bytes()}
        whole = path.read_bytes()
        last = whole[whole.rfind(b"\n") + 1 :]
        lost |= {ident for ident in shipping.producer.written if ident.encode() in last}
    assert lost
    shipping.start()
    shipping.check_oracle(lost_to_damage=frozenset(lost))
    assert shipping.metrics()["shipper_records_corrupt_total{torn}"] == 2


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b'{"positions": garbage'], ids=["empty", "zeros", "garbage"])
def test_an_unusable_position_file(shipping: Shipping, content: bytes) -> None:
    """Case 5: positions are rebuilt from the oldest segment, duplicates are absorbed, one warning is written."""
    shipping.producer.write(200)
    shipping.start()
    wait_until("the first records arrive", lambda: shipping.count() >= 200, SOON)
    shipping.kill()
    (shipping.spool / ".shipper" / "positions").write_bytes(content)
    shipping.start()
    wait_until("a warning says so", lambda: len(shipping.events("shipper.position_rebuilt")) == 1, SOON)
    shipping.producer.write(100)
    wait_until("all arrive", lambda: shipping.arrived() == set(shipping.producer.written), SOON)
    assert len(shipping.documents(logger="tests.producer")) == 300
    assert len(shipping.events("shipper.position_rebuilt")) == 1


def test_two_shippers_on_one_spool(shipping: Shipping) -> None:
    """Case 6: the second one says in one sentence that the spool is taken, and ends."""
    shipping.start()
    second = shipping.spawn()
    assert second.wait(SOON) == 1
    said = shipping.output.read_text()
    assert said.count("\n") == 1
    assert "one spool has one shipper" in said


def test_elasticsearch_killed_in_the_middle_of_a_bulk(shipping: Shipping) -> None:
    """Case 10: `kill -9` of Elasticsearch under load; it comes back, and everything is there once."""
    shipping.start(SHIPPER_TIMEOUT_SECONDS="5")
    with shipping.producer.writing(per_round=15):
        wait_until("records flow", lambda: shipping.metrics()["shipper_records_indexed_total"] > 500, SOON)
        shipping.stack.kill_all("elasticsearch")
        wait_until("the shipper notices", lambda: shipping.metrics()["shipper_retries_total{connection}"] > 0, SOON)
        shipping.stack.wait_ready("elasticsearch")
    shipping.check_oracle()


@pytest.mark.req("SHP-07", "SHP-08")
def test_elasticsearch_stopped_for_a_while_under_writing(shipping: Shipping) -> None:
    """Writing goes on, the backlog shows, trouble is told once and recovery too, and everything arrives afterwards."""
    server = Server(shipping.stack, "elasticsearch")
    shipping.start()
    started = time.monotonic()
    with shipping.producer.writing(per_round=15):
        wait_until("records flow", lambda: shipping.metrics()["shipper_records_indexed_total"] > 500, SOON)
        server.stop()
        try:
            wait_until(
                "the backlog is seen, growing old",
                lambda: (now := shipping.metrics())["shipper_backlog_records"] > 1000 and now["shipper_oldest_unshipped_seconds"] > 3,
                SOON,
            )
        finally:
            server.start()
    shipping.check_oracle()
    retries = shipping.metrics()["shipper_retries_total{connection}"]
    told = len(shipping.events("shipper.retrying"))
    assert 1 <= told <= 1 + (time.monotonic() - started) / QUIET_SECONDS, "told at once, and then every half a minute at most"
    assert told < retries
    assert 1 <= len(shipping.events("shipper.recovered")) <= told


def test_elasticsearch_that_swallows_requests(shipping: Shipping, proxy: FaultProxy) -> None:
    """Case 9 in short: no answer at all: time-outs, descriptors stay flat, and all of it drains afterwards."""
    with proxy:
        shipping.start(ELASTICSEARCH_URL=proxy.url, SHIPPER_TIMEOUT_SECONDS="0.3")
        shipping.producer.write(100)
        wait_until("the first records arrive", lambda: shipping.count() >= 100, SOON)
        before = shipping.metrics()["process_open_fds{0}"]
        proxy.set_mode("black_hole")
        shipping.producer.write(1000)
        wait_until("requests time out", lambda: shipping.metrics()["shipper_retries_total{timeout}"] > 12, SOON)
        assert shipping.metrics()["process_open_fds{0}"] <= before + 60, "a descriptor for each open segment and connection, no more"
        proxy.set_mode("pass")
        shipping.check_oracle()


@pytest.mark.parametrize("setting", ["index.blocks.read_only_allow_delete", "index.blocks.write"])
def test_an_index_that_is_blocked(shipping: Shipping, setting: str) -> None:
    """Case 11: a full disk's block, or an operator's, holds shipping without a loss; it goes on when the block is gone."""
    shipping.start()
    shipping.producer.write(50)
    wait_until("the index exists", lambda: shipping.count() >= 50, SOON)
    shipping.admin.indices.put_settings(index=f"{shipping.prefix}-*", settings={setting: True})
    shipping.producer.write(200)
    wait_until("the block is felt", lambda: shipping.metrics()["shipper_retries_total{blocked}"] > 0, SOON)
    shipping.admin.indices.put_settings(index=f"{shipping.prefix}-*", settings={setting: None})
    shipping.check_oracle()


def test_a_closed_index_costs_nothing(shipping: Shipping) -> None:
    """A 400 that is not the document's fault: held back, not given up."""
    shipping.start()
    shipping.producer.write(50)
    wait_until("the index exists", lambda: shipping.count() >= 50, SOON)
    (index,) = shipping.admin.indices.get(index=f"{shipping.prefix}-*", features="settings").body
    shipping.admin.indices.close(index=index)
    shipping.producer.write(50)
    wait_until("it is felt", lambda: shipping.metrics()["shipper_retries_total{blocked}"] > 0, SOON)
    shipping.admin.indices.open(index=index)
    shipping.check_oracle()


@pytest.mark.req("SHP-06")
def test_one_bad_document_among_good_ones(shipping: Shipping) -> None:
    """Case 12: the record that can't be stored is a dead letter with its reason and raw line; the rest is indexed."""
    import orjson

    bad = orjson.dumps({**record_of("bad"), "request_id": "bad-1", "user_id": {"id": 1}})
    shipping.producer.write(10)
    lines = [bad, b'{"timestamp":"2026-11-22T02:15:04.123456Z","message": broken', b"no json at all \xff", b'{"timestamp":"9999-99-99']
    for line in lines:
        assert shipping.producer._writer.append(line + b"\n")
    shipping.producer.write(10)
    shipping.start()
    shipping.check_oracle(dead=4)
    letters = {letter["raw"]: letter for letter in shipping.dead_letters()}
    assert letters[bad.decode()]["reason"] == "rejected"
    assert "user_id" in letters[bad.decode()]["error_message"]
    assert letters[bad.decode()]["request_id"] == "bad-1"
    assert {letters[line.decode("utf-8", "replace")]["reason"] for line in lines[1:]} == {"malformed"}
    assert shipping.metrics()["shipper_records_corrupt_total{garbage}"] == 3


@pytest.mark.req("SHP-08")
def test_a_wrong_password_then_the_right_one(shipping: Shipping, tmp_path: Path) -> None:
    """Case 13: held, visible in metric, health and log; goes on by itself when the password file is corrected."""
    secret = tmp_path / "password"
    secret.write_text("not-the-password")
    shipping.producer.write(100)
    shipping.start(ELASTICSEARCH_SHIPPER_PASSWORD="", ELASTICSEARCH_SHIPPER_PASSWORD_FILE=str(secret))
    wait_until("it is held", lambda: shipping.metrics()["shipper_held"] == 1, SOON)
    assert shipping.health().status_code == 503
    assert shipping.metrics()["shipper_records_indexed_total"] == 0
    right = tmp_path / "right"
    right.write_text(shipping.stack.sign_in("shipper")[1])
    right.replace(secret)  # at once: the shipper may look at any moment
    wait_until("it goes on", lambda: shipping.metrics()["shipper_held"] == 0, SOON)
    shipping.check_oracle()
    assert shipping.health().status_code == 200
    assert len(shipping.events("shipper.held")) == 1
    assert "not-the-password" not in shipping.output.read_text()


def test_a_stop_drains_what_is_there(shipping: Shipping) -> None:
    """SIGTERM: what was written before is delivered, then it ends with 0."""
    shipping.start(SHIPPER_POLL_SECONDS="30")
    shipping.producer.write(1000)
    assert shipping.kill(signal.SIGTERM) == 0
    assert shipping.arrived() == set(shipping.producer.written)


def test_a_stop_is_bounded_when_elasticsearch_is_away(shipping: Shipping, proxy: FaultProxy) -> None:
    """SIGTERM while nothing can be delivered: it ends in time, and the next start delivers."""
    with proxy:
        proxy.set_mode("black_hole")
        shipping.producer.write(100)
        shipping.start(ELASTICSEARCH_URL=proxy.url, SHIPPER_DRAIN_SECONDS="1")
        assert shipping.kill(signal.SIGTERM) == 0  # waits for at most 30 s, the request itself would wait for 30 s more
    shipping.start()
    shipping.check_oracle()
