"""The residual is 0 as long as each record is accounted for, and tells of each that is not."""

import math
from pathlib import Path

import pytest

from app.core import metrics
from app.core.spool import SpoolWriter, list_segments
from app.core.spool_positions import STATE_FOLDER
from app.shipper.backlog import Backlog
from app.shipper.balance import FILE_NAME, Balance

LINE = b'{"timestamp":"2026-11-22T02:15:04.123456Z","message":"x"}\n'

pytestmark = pytest.mark.req("SHP-08")


def residual() -> float:
    """What the metric shows."""
    value = metrics.REGISTRY.get_sample_value("shipper_residual_records")
    assert value is not None
    return value


def look(balance: Balance, folder: Path, *, accounted: int, backlog: int, exact: bool = True) -> float:
    """One look at the spool as it is; the residual."""
    balance.begin()
    ends = {name: (folder / str(name)).stat().st_size for name in list_segments(folder)}
    balance.show(Backlog(0, backlog, len(ends), 0.0, exact, ends), accounted)
    return residual()


@pytest.fixture
def spool(tmp_path: Path) -> SpoolWriter:
    """Two lines in each segment."""
    return SpoolWriter(tmp_path, "app", segment_bytes=2 * len(LINE) - 1, max_bytes=1 << 30)


def remove_all(balance: Balance, folder: Path) -> None:
    """Deliver everything, as the shipper does."""
    for name in list_segments(folder):
        balance.settle(name)
        (folder / str(name)).unlink()


def test_it_is_0_on_the_whole_way_and_after_restarts(tmp_path: Path, spool: SpoolWriter) -> None:
    """Written and waiting, delivered and not yet removed, removed, and seen by the next shipper."""
    balance = Balance(tmp_path)
    assert look(balance, tmp_path, accounted=0, backlog=0) == 0
    for _ in range(5):
        spool.append(LINE)
    assert look(balance, tmp_path, accounted=0, backlog=5) == 0
    assert look(balance, tmp_path, accounted=4, backlog=1) == 0
    spool.close()
    remove_all(balance, tmp_path)
    assert look(balance, tmp_path, accounted=5, backlog=0) == 0
    balance.close()
    assert look(Balance(tmp_path), tmp_path, accounted=5, backlog=0) == 0


def test_it_tells_what_is_missing_and_what_is_too_much(tmp_path: Path, spool: SpoolWriter) -> None:
    """Negative control: a record that nobody accounts for, a record that is counted twice, a segment that somebody removed."""
    balance = Balance(tmp_path)
    look(balance, tmp_path, accounted=0, backlog=0)
    for _ in range(5):
        spool.append(LINE)
    assert look(balance, tmp_path, accounted=2, backlog=2) == 1
    assert look(balance, tmp_path, accounted=3, backlog=3) == -1
    (tmp_path / str(list_segments(tmp_path)[0])).unlink()
    assert look(balance, tmp_path, accounted=0, backlog=3) == 2


def test_a_spool_that_was_in_use_before_begins_at_0(tmp_path: Path, spool: SpoolWriter) -> None:
    """The ledger of an earlier version knows records that no writer has counted; what is lost from then on shows."""
    balance = Balance(tmp_path)
    assert look(balance, tmp_path, accounted=1000, backlog=0) == 0
    spool.append(LINE)
    assert look(balance, tmp_path, accounted=1000, backlog=1) == 0
    assert look(balance, tmp_path, accounted=1000, backlog=0) == 1
    assert look(Balance(tmp_path), tmp_path, accounted=1000, backlog=0) == 1


def test_counts_of_a_ledger_that_were_lost_are_no_lost_records(tmp_path: Path, spool: SpoolWriter) -> None:
    """With an unusable position file the ledger begins anew, and so does the comparison."""
    balance = Balance(tmp_path)
    for _ in range(5):
        spool.append(LINE)
    look(balance, tmp_path, accounted=5, backlog=0)
    assert look(Balance(tmp_path), tmp_path, accounted=0, backlog=1) == 0


def test_removing_its_file_accepts_a_difference(tmp_path: Path, spool: SpoolWriter) -> None:
    """What the runbook says."""
    balance = Balance(tmp_path)
    look(balance, tmp_path, accounted=0, backlog=0)
    spool.append(LINE)
    assert look(balance, tmp_path, accounted=0, backlog=0) == 1
    (tmp_path / STATE_FOLDER / FILE_NAME).unlink()
    assert look(balance, tmp_path, accounted=0, backlog=0) == 0


def test_a_backlog_that_was_not_counted_leaves_it_unknown(tmp_path: Path, spool: SpoolWriter) -> None:
    """Neither 0 nor an alarm."""
    balance = Balance(tmp_path)
    spool.append(LINE)
    assert math.isnan(look(balance, tmp_path, accounted=0, backlog=100, exact=False))
    assert look(balance, tmp_path, accounted=0, backlog=1) == 0
