"""Bulk requests grow while the store is quick and shrink when it isn't."""

import threading
from pathlib import Path

import pytest

from app.clients.elasticsearch import NoAnswerInTimeError
from app.shipper import deliver as deliver_module
from app.shipper.batch import BatchBuilder
from app.shipper.compression import Compression, compress_for
from app.shipper.deliver import INDEXED, Deliverer
from app.shipper.reports import Reporter
from app.shipper.segments import SegmentQueue
from app.shipper.sizing import LEAST_DOCS, QUICK_SECONDS, BatchSize
from tests.support.bulk import BulkStore, refusal
from tests.support.spools import record, write_segment


def test_it_begins_small_and_grows_to_the_most() -> None:
    """Quick answers to full requests let it grow; it never passes the setting."""
    size = BatchSize(4000)
    sizes = [size.docs]
    while size.docs < 4000:
        size.taken(size.docs, 0.1)
        sizes.append(size.docs)
    assert sizes[0] == 1000
    assert sizes == sorted(set(sizes))
    size.taken(4000, 0.1)
    assert size.docs == 4000


@pytest.mark.parametrize(("count", "seconds"), [(1000, QUICK_SECONDS * 2), (10, 0.001)], ids=["slow", "small"])
def test_slow_answers_and_small_requests_do_not_let_it_grow(count: int, seconds: float) -> None:
    """Only a full request that was answered quickly says that more would do."""
    size = BatchSize(4000)
    size.taken(count, seconds)
    assert size.docs == 1000


def test_it_halves_once_for_requests_of_one_size_and_never_to_nothing() -> None:
    """Two requests in flight that fail together are one piece of news."""
    size = BatchSize(4000, first=4000)
    size.too_many(4000)
    size.too_many(4000)
    assert size.docs == 2000
    for _ in range(20):
        size.too_many(size.docs)
    assert size.docs == LEAST_DOCS
    assert BatchSize(5).docs == 5, "a small setting is kept"


@pytest.mark.parametrize("trouble", ["413", "429", "item 429", "time-out"])
def test_what_the_store_can_not_take_is_sent_in_smaller_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """A store that takes forty documents at once gets so few in the end, and each of them once."""
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.0001)
    lines = [record(number) for number in range(640)]
    write_segment(tmp_path, "18ea3d77473557cc-1", 1, lines)
    store = BulkStore()
    send = store.send

    def limited(index: str, body: bytes) -> tuple[int, bytes]:
        count = body.count(b"\n") // 2
        if count <= 40:
            return send(index, body)
        if trouble == "time-out":
            raise NoAnswerInTimeError("30 s")
        if trouble == "item 429":
            store.item = lambda _index, _ident, _line: refusal(429, "es_rejected_execution_exception")
            try:
                return send(index, body)
            finally:
                store.item = lambda _index, _ident, _line: None
        return int(trouble), b'{"error":{"type":"x"}}'

    store.send = limited  # type: ignore[method-assign]
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    size = BatchSize(640, first=640)
    batch, _ = BatchBuilder("logs-t", most_docs=640, most_bytes=1 << 20, size=size).build(queue)
    ours = Deliverer(store, Reporter(), dead_prefix="dead-t", longest_pause=0.001, size=size, give_up=threading.Event())
    assert ours.deliver(batch) == {INDEXED: 640}
    assert store.lines("logs-t") == lines
    assert size.docs < 160
    queue.close()


@pytest.mark.parametrize(
    ("url", "setting", "wanted"),
    [
        ("http://127.0.0.1:9200", "auto", False),
        ("http://localhost:9200", "auto", False),
        ("http://[::1]:9200", "auto", False),
        ("https://logs.example.com", "auto", True),
        ("http://10.0.0.7:9200", "auto", True),
        ("http://127.0.0.1:9200", "on", True),
        ("https://logs.example.com", "off", False),
    ],
)
def test_compression_pays_on_a_network_only(url: str, setting: Compression, wanted: bool) -> None:
    """The setting auto leaves this machine's own Elasticsearch alone; on and off are obeyed."""
    assert compress_for(url, setting) is wanted
