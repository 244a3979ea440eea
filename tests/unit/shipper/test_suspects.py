"""A document that is answered with 500 for ever, told from a store that is ill."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.shipper import deliver as deliver_module
from app.shipper.batch import Batch, BatchBuilder
from app.shipper.deliver import Deliverer
from app.shipper.reports import Reporter
from app.shipper.segments import SegmentQueue
from tests.support.bulk import BulkStore, refusal
from tests.support.spools import record, write_segment
from tests.support.waiting import wait_until

INDEXED = "shipper_records_indexed_total"
DEAD = "shipper_records_dead_total:server_error"
LINES = [record(number) for number in range(20)]
POISON = record(7)
TRIES = 4


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once."""
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.0001)


def batch_of(folder: Path, lines: list[bytes], writer: str = "18ea3d77473557cc-1") -> Batch:
    """One batch with these lines."""
    write_segment(folder, writer, 1, lines)
    queue = SegmentQueue(folder, {})
    queue.scan()
    batch, _ = BatchBuilder("logs-t", most_docs=10_000, most_bytes=1 << 23).build(queue)
    queue.close()
    return batch


def deliverer(store: BulkStore, give_up: threading.Event | None = None) -> Deliverer:
    """One that gives a document up after TRIES."""
    return Deliverer(store, Reporter(), dead_prefix="dead-t", longest_pause=0.001, item_tries=TRIES, give_up=give_up or threading.Event())


def fails(status: int = 500, *, until: int = 1 << 30) -> BulkStore:
    """A store that answers so for the poisoned document, the first `until` times."""
    seen: list[str] = []

    def item(index: str, ident: str, line: bytes) -> dict[str, Any] | None:
        if line != POISON or not index.startswith("logs") or len(seen) >= until:
            return None
        seen.append(ident)
        return refusal(status, "illegal_state_exception", "it always fails")

    return BulkStore(item=item)


def test_a_document_that_always_gets_500_becomes_a_dead_letter(tmp_path: Path) -> None:
    """After the stated number of tries, with neighbours taken, it is given up with its reason; the others are indexed once."""
    store = fails()
    assert deliverer(store).deliver(batch_of(tmp_path, LINES)) == {INDEXED: 19, DEAD: 1}
    (letter,) = (json.loads(line) for line in store.lines("dead-t"))
    assert (letter["reason"], letter["status"], letter["error_message"]) == ("server_error", 500, "it always fails")
    assert letter["raw"] == POISON.decode()
    assert store.requests == TRIES + 1, "the batch, the document with witnesses, the letter"


def test_a_document_that_gets_through_in_time_is_indexed(tmp_path: Path) -> None:
    """Fewer refusals than the bound cost nothing."""
    assert deliverer(fails(until=TRIES - 1)).deliver(batch_of(tmp_path, LINES)) == {INDEXED: 20}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_other_answers_never_cost_a_document(tmp_path: Path, status: int) -> None:
    """Overload, missing shards and gateways are outwaited however often they come."""
    assert deliverer(fails(status, until=5 * TRIES)).deliver(batch_of(tmp_path, LINES)) == {INDEXED: 20}


def test_a_store_that_takes_nothing_costs_no_document(tmp_path: Path) -> None:
    """When everything gets 500 it is the store: waited for, however long."""
    tries: Counter[str] = Counter()

    def item(_index: str, ident: str, _line: bytes) -> dict[str, Any] | None:
        tries[ident] += 1
        return refusal(500, "null_pointer_exception") if tries[ident] <= 5 * TRIES else None

    assert deliverer(BulkStore(item=item)).deliver(batch_of(tmp_path, LINES)) == {INDEXED: 20}


def test_a_store_that_falls_ill_after_the_first_answer_costs_no_document(tmp_path: Path) -> None:
    """Neighbours that were taken once prove nothing later: the witnesses must be answered, too."""
    asked: Counter[str] = Counter()

    def item(_index: str, ident: str, line: bytes) -> dict[str, Any] | None:
        asked[ident] += 1
        ill = 1 <= sum(asked.values()) - len(LINES) < 200
        return refusal(500, "x") if ill or (line == POISON and asked[ident] == 1) else None

    assert deliverer(BulkStore(item=item)).deliver(batch_of(tmp_path, LINES)) == {INDEXED: 20}


def test_a_lone_document_is_judged_by_what_other_requests_see(tmp_path: Path) -> None:
    """Without neighbours it is held as long as the index takes nothing else, and given up when it does."""
    store, give_up = fails(), threading.Event()
    ours = deliverer(store, give_up)
    outcome: list[Counter[str] | None] = []
    lone = threading.Thread(target=lambda: outcome.append(ours.deliver(batch_of(tmp_path / "lone", [POISON]))), daemon=True)
    lone.start()
    wait_until("it is tried often", lambda: store.requests > 10 * TRIES)
    assert not store.lines("dead-t")
    for number in range(10 * TRIES):
        before = store.requests
        ours.deliver(batch_of(tmp_path / str(number), [record(number + 100)], f"18ea3d774735{number:04x}-1"))
        wait_until("it is tried again", lambda: store.requests > before + 2 or not lone.is_alive())  # noqa: B023 (asked at once)
    lone.join(10)
    assert outcome == [{DEAD: 1}]


def test_a_document_that_spoils_its_whole_request_is_found(tmp_path: Path) -> None:
    """When the answer is 500 for the request and others are taken, it is taken apart until the culprit is alone."""
    store = BulkStore()
    send = store.send
    store.send = lambda index, body: (500, b'{"error":{"type":"x"}}') if POISON in body and index.startswith("logs") else send(index, body)  # type: ignore[method-assign]
    ours = deliverer(store)
    outcome: list[Counter[str] | None] = []
    stuck = threading.Thread(target=lambda: outcome.append(ours.deliver(batch_of(tmp_path / "stuck", LINES))), daemon=True)
    stuck.start()

    def others_pass() -> bool:
        ours.deliver(batch_of(tmp_path / "others", [record(100)], "18ea3d7747350000-1"))
        return not stuck.is_alive()

    wait_until("it is found", others_pass, 30)
    assert outcome == [{INDEXED: 19, DEAD: 1}]
