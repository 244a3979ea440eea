"""Delivering a batch against a store that misbehaves in every way."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.clients.elasticsearch import NoAnswerInTimeError, UnreachableError
from app.shipper import deliver as deliver_module
from app.shipper.batch import Batch, BatchBuilder
from app.shipper.deliver import Deliverer
from app.shipper.reports import Reporter
from app.shipper.segments import SegmentQueue
from tests.support.bulk import BulkStore, refusal
from tests.support.spools import record, write_segment

INDEXED = "shipper_records_indexed_total"
DUPLICATE = "shipper_records_duplicate_total"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once."""
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.0001)


def batch_of(folder: Path, lines: list[bytes]) -> Batch:
    """One batch with these lines."""
    write_segment(folder, "18ea3d77473557cc-1", 1, lines)
    queue = SegmentQueue(folder, {})
    queue.scan()
    batch, _ = BatchBuilder("logs-t", most_docs=10_000, most_bytes=1 << 23).build(queue)
    queue.close()
    return batch


def deliver(store: BulkStore, batch: Batch, give_up: threading.Event | None = None, **settings: Any) -> Counter[str] | None:
    """Deliver a batch with pauses of nearly nothing."""
    deliverer = Deliverer(store, Reporter(), dead_prefix="dead-t", longest_pause=0.001, give_up=give_up or threading.Event(), **settings)
    return deliverer.deliver(batch)


def dead_letters(store: BulkStore) -> list[dict[str, Any]]:
    """The stored dead letters."""
    return [json.loads(line) for line in store.lines("dead-t")]


LINES = [record(number) for number in range(20)]


def test_a_plain_batch_takes_one_request(tmp_path: Path) -> None:
    """Every line is stored as it was, in one request."""
    store = BulkStore()
    assert deliver(store, batch_of(tmp_path, LINES)) == {INDEXED: 20}
    assert store.lines("logs-t-2026.11.22") == LINES
    assert store.requests == 1


def test_what_is_there_already_counts_as_delivered(tmp_path: Path) -> None:
    """409 means that an earlier life delivered it: no retry, counted once as indexed and once as a duplicate."""
    store = BulkStore()
    batch = batch_of(tmp_path, LINES)
    deliver(store, batch)
    assert deliver(store, batch) == {INDEXED: 20, DUPLICATE: 20}
    assert store.requests == 2


def test_only_the_items_that_failed_are_sent_again(tmp_path: Path) -> None:
    """429 inside a 200 is seen, and repeated for its items alone."""
    refused: set[str] = set()

    def once(_index: str, ident: str, line: bytes) -> dict[str, Any] | None:
        if b'"record 3"' in line and ident not in refused:
            refused.add(ident)
            return refusal(429, "es_rejected_execution_exception")
        return None

    store = BulkStore(item=once)
    assert deliver(store, batch_of(tmp_path, LINES)) == {INDEXED: 20}
    assert store.sizes == [20, 1]


def test_a_bad_document_becomes_a_dead_letter_and_the_rest_is_indexed(tmp_path: Path) -> None:
    """The letter has the reason, the raw line and the ids by which the request's story finds it."""
    bad = b'{"timestamp":"2026-11-22T02:15:04.123456Z","request_id":"abc123","user_id":{"id":1},"note":"T\xc3\xbcrk\xc3\xa7e"}'

    def refuse(index: str, _ident: str, line: bytes) -> dict[str, Any] | None:
        return (
            refusal(400, "document_parsing_exception", "failed to parse field [user_id]")
            if line == bad and index.startswith("logs")
            else None
        )

    store = BulkStore(item=refuse)
    counts = deliver(store, batch_of(tmp_path, [*LINES, bad]))
    assert counts == {INDEXED: 20, "shipper_records_dead_total:rejected": 1}
    (letter,) = dead_letters(store)
    assert letter["raw"] == bad.decode()
    assert letter["reason"] == "rejected"
    assert letter["request_id"] == "abc123"
    assert letter["error_message"] == "failed to parse field [user_id]"
    assert letter["timestamp"] == "2026-11-22T02:15:04.123456Z"
    assert letter["target_index"] == "logs-t-2026.11.22"
    assert ("dead-t-2026.11.22", letter["document_id"]) in store.documents


@pytest.mark.parametrize("garbage", [b"no json", b'{"timestamp":"2026-11-22T02:15:04.123456Z","message": broken', b"\xff\x00\xfe"])
def test_garbage_is_malformed_whoever_notices(tmp_path: Path, garbage: bytes) -> None:
    """A damaged line is told from a rejected one, found by its beginning or by the server."""

    def refuse(index: str, _ident: str, line: bytes) -> dict[str, Any] | None:
        return refusal(400, "document_parsing_exception") if line == garbage and index.startswith("logs") else None

    store = BulkStore(item=refuse)
    assert deliver(store, batch_of(tmp_path, [*LINES, garbage])) == {INDEXED: 20, "shipper_records_dead_total:malformed": 1}
    assert dead_letters(store)[0]["raw"] == garbage.decode("utf-8", "replace")


def test_dead_letters_have_the_same_place_each_time(tmp_path: Path) -> None:
    """Sent again after a crash, even on another day, a dead letter meets itself."""
    store = BulkStore()
    batch = batch_of(tmp_path, [b"no record at all"])
    deliver(store, batch)
    before = set(store.documents)
    deliver(store, batch)
    assert set(store.documents) == before
    assert len(before) == 1


def test_a_request_that_is_too_large_is_halved_until_it_fits(tmp_path: Path) -> None:
    """413 costs more requests, no documents; a single one that is too large is a dead letter."""
    giant = record(99, padding=5000)

    def too_large(body_limit: int) -> BulkStore:
        store = BulkStore()
        send = store.send
        store.send = lambda index, body: (413, b"<html>") if len(body) > body_limit and index.startswith("logs") else send(index, body)  # type: ignore[method-assign]
        return store

    store = too_large(2000)
    assert deliver(store, batch_of(tmp_path, [*LINES, giant])) == {INDEXED: 20, "shipper_records_dead_total:too_large": 1}
    assert store.lines("logs-t") == LINES


def test_a_request_refused_as_a_whole_is_searched_for_the_culprit(tmp_path: Path) -> None:
    """When one line spoils the request, the others get through."""
    poison = record(7)
    store = BulkStore()
    send = store.send
    store.send = lambda index, body: (400, b'{"error":{"type":"x"}}') if poison in body and index.startswith("logs") else send(index, body)  # type: ignore[method-assign]
    assert deliver(store, batch_of(tmp_path, LINES)) == {INDEXED: 19, "shipper_records_dead_total:rejected": 1}


@pytest.mark.parametrize(
    "trouble",
    [
        UnreachableError("connection refused"),
        NoAnswerInTimeError("30 s"),
        (503, b'{"error":{"type":"unavailable"}}'),
        (429, b'{"error":{"type":"circuit_breaking_exception"}}'),
        (403, b'{"error":{"type":"cluster_block_exception"}}'),
        (502, b"<html>bad gateway</html>"),
        (200, b"<html>a captive portal says hello</html>"),
        (200, b'{"errors":true,"items":[]}'),
    ],
)
def test_trouble_is_outwaited(tmp_path: Path, trouble: Exception | tuple[int, bytes]) -> None:
    """Whatever stands in the way, the batch is sent again and arrives whole."""

    def before(number: int) -> tuple[int, bytes] | None:
        if number > 5:
            return None
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    store = BulkStore(before=before)
    assert deliver(store, batch_of(tmp_path, LINES)) == {INDEXED: 20}
    assert store.requests == 6


def test_refused_credentials_hold_and_are_read_anew(tmp_path: Path) -> None:
    """401 costs nothing; the next try uses what the settings say by then."""
    renewed: list[int] = []
    store = BulkStore(before=lambda _number: (401, b'{"error":{"type":"security_exception"}}') if len(renewed) < 3 else None)
    assert deliver(store, batch_of(tmp_path, LINES), renew_sign_in=lambda: renewed.append(1)) == {INDEXED: 20}
    assert len(renewed) == 3


def test_a_dead_letter_that_is_refused_is_not_thrown_away(tmp_path: Path) -> None:
    """The last copy of a line is kept until the dead-letter index takes it."""
    tries: list[str] = []

    def refuse_letters(index: str, _ident: str, _line: bytes) -> dict[str, Any] | None:
        tries.append(index)
        return refusal(400, "document_parsing_exception") if len(tries) < 5 else None

    store = BulkStore(item=refuse_letters)
    assert deliver(store, batch_of(tmp_path, [b"garbage"])) == {"shipper_records_dead_total:malformed": 1}
    assert len(dead_letters(store)) == 1


def test_told_to_give_up_it_leaves_the_batch_to_the_next_start(tmp_path: Path) -> None:
    """A bounded stop: nothing is reported as delivered that wasn't."""
    give_up = threading.Event()
    give_up.set()
    assert deliver(BulkStore(before=lambda _number: (503, b"")), batch_of(tmp_path, LINES), give_up) is None
