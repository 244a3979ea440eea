"""Negative controls: each guard is broken on purpose, and the oracle must see it. A guard that nobody misses is none."""

import os
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.spool import SegmentName, SpoolWriter, list_segments
from app.shipper import deliver
from app.shipper.batch import BatchBuilder
from app.shipper.loop import Shipper
from app.shipper.positions import Progress
from app.shipper.reports import Ledger
from app.shipper.segments import Segment, SegmentQueue
from app.shipper.verdicts import Verdict, judge_item
from tests.support.mortal import Doom, Written, complaints, live_on, live_once, make_haste, mortal_store
from tests.support.spools import record

SEEDS = range(25)
"""Tries: a broken guard shows only where death comes at the right moment."""

Break = Callable[[pytest.MonkeyPatch], None]


def ids_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try sends its lines under new ids."""
    action = BatchBuilder._action

    def changing(self: BatchBuilder, name: SegmentName, index: str) -> bytes:
        return action(self, SegmentName(uuid.uuid4().hex + "-1", name.sequence, name.service, name.stream), index)

    monkeypatch.setattr(BatchBuilder, "_action", changing)


def positions_run_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is noted as delivered."""
    monkeypatch.setattr(
        SegmentQueue, "positions", lambda self: {str(segment.name): segment.read for segment in self.open_segments() if segment.read}
    )


def segments_go_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment is removed when it is read, not when it is delivered."""
    monkeypatch.setattr(SegmentQueue, "delivered", lambda self: list(self._read_out.values()))


def counts_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are saved first, positions after."""
    save = Ledger.save

    def twice(self: Ledger, positions: dict[str, int]) -> None:
        if self._new:
            self._file.save(Progress(dict(self._positions), dict(self._saved + self._new)))
        save(self, positions)

    monkeypatch.setattr(Ledger, "save", twice)


def refusals_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that the store refuses counts as delivered."""

    def judge(item: dict[str, Any]) -> Verdict:
        verdict = judge_item(item)
        return Verdict("delivered", status=201) if verdict.action == "dead" else verdict

    monkeypatch.setattr(deliver, "judge_item", judge)


def torn_ends_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The piece at the end of a segment whose write never ended is not counted."""
    monkeypatch.setattr(BatchBuilder, "_cut_torn", lambda _self, _segment: None)


def batches_are_booked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came of a batch is added twice."""
    book = Shipper._book

    def again(self: Shipper, batch: Any, counts: Counter[str]) -> None:
        book(self, batch, Counter({key: 2 * count for key, count in counts.items()}))

    monkeypatch.setattr(Shipper, "_book", again)


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        (ids_change, "stored"),
        (positions_run_ahead, "stored"),
        (segments_go_early, "stored"),
        (counts_stand_apart, "counted as indexed"),
        (refusals_are_forgotten, "dead letters"),
        (torn_ends_are_passed_over, "counted as torn"),
        (batches_are_booked_twice, "counted as indexed"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_oracle_sees_a_broken_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Break, seen: str) -> None:
    """Under the same deaths without a complaint when it is whole, and with the right one when it is broken."""
    make_haste(monkeypatch)
    assert not any(_run(tmp_path / f"whole{seed}", seed) for seed in SEEDS[:5])
    broken(monkeypatch)
    assert any(seen in _run(tmp_path / f"broken{seed}", seed) for seed in SEEDS)


def _run(folder: Path, seed: int) -> list[str]:
    """One spool, drained under the deaths of a seed, and what the oracle says."""
    spool, state = folder / "spool", folder / "state"
    state.mkdir(parents=True)
    written = Written()
    for writer in range(2):
        for sequence in (1, 2):
            written.segment(spool, writer, sequence, good=30, bad=seed % 2, tail=b'{"timestamp":"2026-' if sequence == 2 else b"")
    doom = Doom(seed)
    store = mortal_store(doom)
    try:
        live_on(spool, state, store, doom)
    except KeyError:
        return []  # with other ids it does not find its own refused lines again; that it fell is not what is asked
    return complaints(spool, state, store, written)


def _finish_unasked(segment: Segment) -> bool:
    segment.finished = True
    return True


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "broken"])
def test_without_the_lock_a_living_segment_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """The lock says who may still append. A shipper that doesn't ask removes the segment under its writer, and records are lost."""
    make_haste(monkeypatch)
    if not whole:
        monkeypatch.setattr(Segment, "try_finish", _finish_unasked)
    spool, state = tmp_path / "spool", tmp_path / "state"
    state.mkdir()
    writer = SpoolWriter(spool, "app", segment_bytes=10_000, max_bytes=1 << 30)
    doom = Doom(0)
    doom.kills = 1 << 30
    store = mortal_store(doom)
    lines = [record(number) for number in range(20)]
    for part in (lines[:10], lines[10:]):
        for line in part:
            assert writer.append(line + b"\n")
        assert live_once(spool, state, store, doom)
    writer.close()
    assert live_once(spool, state, store, doom)
    assert (Counter(store.lines("logs-t")) == Counter(lines)) is whole


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "broken"])
def test_without_the_fence_a_short_write_spoils_the_next_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """A piece of a record that stays glues itself to the next one."""
    if not whole:
        monkeypatch.setattr(SpoolWriter, "_undo", lambda _self, _written: None)
    writer = SpoolWriter(tmp_path, "app", segment_bytes=10_000, max_bytes=1 << 30)
    assert writer.append(record(1) + b"\n")
    give_room = _small_writes(monkeypatch)
    assert not writer.append(record(2) + b"\n")
    give_room()
    assert writer.append(record(3) + b"\n")
    writer.close()
    (name,) = list_segments(tmp_path)
    assert ((tmp_path / str(name)).read_bytes().splitlines() == [record(1), record(3)]) is whole


def _small_writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on the disk takes 10 bytes of a record. Call the result to give it its room back."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:10])))
    return lambda: monkeypatch.setattr(os, "write", real)
