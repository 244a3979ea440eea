"""The loop's order of work: what waits for what."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.shipper import deliver as deliver_module
from app.shipper.batch import BatchBuilder
from app.shipper.deliver import Deliverer
from app.shipper.loop import Shipper
from app.shipper.positions import PositionFile, Progress
from app.shipper.reports import Ledger, Reporter
from app.shipper.segments import SegmentQueue
from tests.support.bulk import BulkStore, refusal
from tests.support.spools import record, write_segment
from tests.support.waiting import wait_until


def test_a_batch_that_takes_long_does_not_stop_those_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one document is tried again and again, the rest of the spool is delivered; positions wait for it, and nothing is doubled."""
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.001)
    lines = [record(number) for number in range(400)]
    name = write_segment(tmp_path / "spool", "18ea3d77473557cc-1", 1, lines)
    (tmp_path / "state").mkdir()
    stuck = threading.Event()

    def item(_index: str, _ident: str, line: bytes) -> dict[str, Any] | None:
        return refusal(503, "unavailable_shards_exception") if line == lines[0] and not stuck.is_set() else None

    store = BulkStore(item=item)
    file, progress, give_up = PositionFile(tmp_path / "state"), Progress(), threading.Event()
    shipper = Shipper(
        tmp_path / "spool",
        SegmentQueue(tmp_path / "spool", {}),
        BatchBuilder("logs-t", most_docs=10, most_bytes=1 << 20),
        Deliverer(store, Reporter(), dead_prefix="dead-t", longest_pause=0.01, give_up=give_up),
        Ledger(file, progress),
        Reporter(),
        connections=2,
        poll_seconds=0.01,
        drain_seconds=30,
        give_up=give_up,
    )
    shipper.stop()
    thread = threading.Thread(target=shipper.run, daemon=True)
    thread.start()
    wait_until("all but one are stored", lambda: len(store.documents) == 399)
    assert file.load().positions.get(str(name), 0) == 0
    stuck.set()
    thread.join(20)
    assert Counter(store.lines("logs-t")) == Counter(lines)
    assert file.load().counts["shipper_records_indexed_total"] == 400
