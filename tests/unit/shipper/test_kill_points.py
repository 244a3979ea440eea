"""The oracle under random deaths: whatever was written arrives once, unharmed, and the counts say so."""

import random
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from app.core import spool
from app.shipper import deliver as deliver_module
from app.shipper import loop as loop_module
from app.shipper.batch import BatchBuilder
from app.shipper.deliver import Deliverer
from app.shipper.loop import Shipper
from app.shipper.positions import PositionFile, Progress
from app.shipper.reports import Ledger, Reporter
from app.shipper.segments import Segment, SegmentQueue
from tests.support.bulk import BulkStore, Killed, refusal
from tests.support.spools import record, write_segment

KILLS = 8
BAD = b'"level":"BAD"'


class Doom:
    """Kills the shipper now and then, at any of the points where it matters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kills = 0

    def point(self, _where: object = None) -> None:
        """A place at which the process may die."""
        if self.kills < KILLS and self.random.random() < 0.25:
            self.kills += 1
            raise Killed


class MortalFile(PositionFile):
    """A position file whose writer may die before and after."""

    def __init__(self, folder: Path, doom: Doom) -> None:
        super().__init__(folder)
        self._doom = doom

    def save(self, progress: Progress) -> None:
        """Save, unless death comes first."""
        self._doom.point()
        super().save(progress)
        self._doom.point()


class MortalQueue(SegmentQueue):
    """A queue whose owner may die before and after it removes a segment."""

    doom: Doom

    def remove(self, segment: Segment) -> None:
        """Remove, unless death comes first."""
        self.doom.point()
        super().remove(segment)
        self.doom.point()


def live_once(folder: Path, state: Path, store: BulkStore, doom: Doom) -> bool:
    """One life of a shipper: until it has drained the spool (True) or was killed."""
    file = MortalFile(state, doom)
    progress = PositionFile(state).load()
    queue = MortalQueue(folder, progress.positions)
    queue.doom = doom
    give_up = threading.Event()
    shipper = Shipper(
        folder,
        queue,
        BatchBuilder("logs-t", most_docs=17, most_bytes=4000),
        Deliverer(store, Reporter(), dead_prefix="dead-t", longest_pause=0.001, give_up=give_up),
        Ledger(file, progress),
        Reporter(),
        connections=2,
        poll_seconds=0.001,
        drain_seconds=30,
        give_up=give_up,
    )
    shipper.stop()
    try:
        return shipper.run()
    except Killed:
        return False


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), writers=st.integers(1, 4), data=st.data())
def test_nothing_is_lost_doubled_or_invented(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: int, writers: int, data: st.DataObject
) -> None:
    """Killed before and after requests, saves and removals, the shipper ends with each record stored once."""
    note(f"seed {seed}")
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(loop_module, "TICK_SECONDS", 0.0)
    folder = tmp_path_factory.mktemp("spool")
    state = tmp_path_factory.mktemp("state")
    good: list[bytes] = []
    bad: list[bytes] = []
    torn = 0
    for writer in range(writers):
        for sequence in range(1, data.draw(st.integers(1, 4)) + 1):
            lines = [record(len(good) + number, padding=number) for number in range(data.draw(st.integers(0, 40)))]
            good += lines
            refused = [record(len(bad) + number).replace(b'"level":"INFO"', BAD) for number in range(data.draw(st.integers(0, 2)))]
            bad += refused
            tail = data.draw(st.sampled_from([b"", b'{"timestamp":"2026-']))
            torn += bool(tail)
            write_segment(folder, f"18ea3d7747355{writer:03x}-1", sequence, [*refused, *lines], tail)
    doom = Doom(seed)
    store = BulkStore(
        item=lambda index, _ident, line: refusal(400, "x") if BAD in line and index.startswith("logs") else None,
        before=doom.point,
        after=doom.point,
    )
    lives = 1
    while not live_once(folder, state, store, doom):
        lives += 1
        assert lives <= KILLS + 1
    assert Counter(store.lines("logs-t")) == Counter(good)
    assert len(store.lines("dead-t")) == len(bad)
    counts = PositionFile(state).load().counts
    assert counts.get("shipper_records_indexed_total", 0) == len(good)
    assert counts.get("shipper_records_dead_total:rejected", 0) == len(bad)
    assert counts.get("shipper_records_corrupt_total:torn", 0) == torn
    assert spool.list_segments(folder) == []
