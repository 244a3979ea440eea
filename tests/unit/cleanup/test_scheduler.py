"""Each night's run is made once, whatever goes wrong, and its figures survive a restart."""

import dataclasses
import datetime as dt
import threading
from pathlib import Path

import pytest

from app.cleanup.process import Scheduler
from app.cleanup.runs import CleanupRuns
from app.clients.cleanup_state import CleanupState, LeaseHeldError
from app.core.config import Settings, load_settings
from app.core.index_store import StoreError
from app.core.log_cleanup import CleanupReport
from tests.support.asgi import sample

EVENING = dt.datetime(2026, 11, 22, 22, 0, tzinfo=dt.UTC)
NIGHT = dt.datetime(2026, 11, 23, 3, 0, 5, tzinfo=dt.UTC)


class Store:
    """What all processes share: the state, and what was run."""

    def __init__(self) -> None:
        self.state = CleanupState()
        self.nights: list[str] = []
        self.error: Exception | None = None


class FakeRuns(CleanupRuns):
    """Runs that do nothing but note the night, as the lease would."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def state(self) -> CleanupState:
        """The shared one."""
        if isinstance(self._store.error, StoreError):
            raise self._store.error
        return self._store.state

    def run(self, night: str = "") -> CleanupReport:
        """Notes the night, or fails as it is told."""
        if self._store.error is not None:
            raise self._store.error
        self._store.nights.append(night)
        state = self._store.state
        self._store.state = dataclasses.replace(state, night=night, runs=state.runs + 1, last_success_at=1000.0)
        return CleanupReport(dry_run=False, location="")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """03:00 UTC."""
    return load_settings(_env_file=None, log_archive_dir=str(tmp_path), log_stdout=False, spool_dir=tmp_path / "spool", environment="test")


def scheduler(settings: Settings, store: Store) -> Scheduler:
    """A process over the shared store."""
    return Scheduler(settings, threading.Event(), FakeRuns(store))


@pytest.mark.req("RET-02")
def test_a_night_is_worked_once_by_however_many(settings: Settings) -> None:
    """Two processes look every ten seconds around 03:00; one run comes of it, and one more the next night."""
    store = Store()
    store.state = CleanupState(night="2026-11-22")
    both = [scheduler(settings, store), scheduler(settings, store)]
    for seconds in range(-60, 120, 10):
        for one in both:
            one.look(NIGHT + dt.timedelta(seconds=seconds))
    assert store.nights == ["2026-11-23"]
    both[1].look(NIGHT + dt.timedelta(days=1))
    assert store.nights == ["2026-11-23", "2026-11-24"]


@pytest.mark.req("RET-02")
def test_a_missed_night_is_made_up_for_at_the_start(settings: Settings) -> None:
    """The machine was off at 03:00; started in the evening, it runs at once, for one night, however many were missed."""
    store = Store()
    store.state = CleanupState(night="2026-11-15")
    scheduler(settings, store).look(EVENING)
    scheduler(settings, store).look(EVENING)
    assert store.nights == ["2026-11-22"]


@pytest.mark.parametrize("error", [StoreError("away"), LeaseHeldError("busy"), ZeroDivisionError("a bug")])
def test_trouble_ends_no_process_and_the_night_is_made_later(settings: Settings, error: Exception) -> None:
    """Elasticsearch away, somebody else at work, or a bug: the next look but a few makes the run."""
    store = Store()
    store.error = error
    one = scheduler(settings, store)
    one.look(NIGHT)
    store.error = None
    one._not_before = 0.0
    one.look(NIGHT)
    assert store.nights == ["2026-11-23"]


@pytest.mark.req("ALR-21")
def test_the_figures_are_the_shared_ones(settings: Settings) -> None:
    """A process that has just started shows what runs on other machines and by hand have come to."""
    store = Store()
    store.state = CleanupState(night="2026-11-22", failed=True, runs=7, failures=2, indices=30, documents=900, last_success_at=123.0)
    before = sample("cleanup_runs_total", outcome="failure"), sample("cleanup_indices_deleted_total")
    one = scheduler(settings, store)
    one.look(EVENING)
    one.look(EVENING)
    assert sample("cleanup_runs_total", outcome="failure") == before[0] + 2
    assert sample("cleanup_indices_deleted_total") == before[1] + 30
    assert sample("cleanup_failed") == 1
    assert sample("cleanup_last_success_timestamp_seconds") == 123.0
    store.state = dataclasses.replace(store.state, failed=False)
    one.look(EVENING)
    assert sample("cleanup_failed") == 0
