"""A shipper that dies at chosen points of its work, and is started again, against a store that only remembers."""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from app.core.spool import list_segments
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

KILLS: Final = 8
BAD: Final = b'"level":"BAD"'
"""What the store refuses."""


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


def mortal_store(doom: Doom) -> BulkStore:
    """A store that refuses BAD records and around whose requests the shipper may die."""
    return BulkStore(
        item=lambda index, _ident, line: refusal(400, "x") if BAD in line and index.startswith("logs") else None,
        before=doom.point,
        after=doom.point,
    )


def make_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses: what takes seconds takes milliseconds."""
    monkeypatch.setattr(deliver_module, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(loop_module, "TICK_SECONDS", 0.0)


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


@dataclass(slots=True)
class Written:
    """What is in a spool: good records, refused ones, and how many segments end in the middle of one."""

    good: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    torn: int = 0

    def segment(self, folder: Path, writer: int, sequence: int, good: int, bad: int = 0, tail: bytes = b"") -> None:
        """Write one more segment."""
        lines = [record(len(self.good) + number, padding=number) for number in range(good)]
        self.good += lines
        refused = [record(len(self.bad) + number).replace(b'"level":"INFO"', BAD) for number in range(bad)]
        self.bad += refused
        self.torn += bool(tail)
        write_segment(folder, f"18ea3d7747355{writer:03x}-1", sequence, [*refused, *lines], tail)


def live_on(folder: Path, state: Path, store: BulkStore, doom: Doom) -> None:
    """One life after another, until the spool is drained."""
    lives = 1
    while not live_once(folder, state, store, doom):
        lives += 1
        assert lives <= KILLS + 1


def complaints(folder: Path, state: Path, store: BulkStore, written: Written) -> list[str]:
    """The oracle: what is wrong with what the store holds, what was counted and what is left in the spool."""
    counts = PositionFile(state).load().counts
    checks: dict[str, tuple[Any, Any]] = {
        "stored": (Counter(store.lines("logs-t")), Counter(written.good)),
        "dead letters": (len(store.lines("dead-t")), len(written.bad)),
        "counted as indexed": (counts.get("shipper_records_indexed_total", 0), len(written.good)),
        "counted as dead": (counts.get("shipper_records_dead_total:rejected", 0), len(written.bad)),
        "counted as torn": (counts.get("shipper_records_corrupt_total:torn", 0), written.torn),
        "left in the spool": (list_segments(folder), []),
    }
    return [what for what, (found, expected) in checks.items() if found != expected]
