"""The canary is written whatever happens, found late or early, and never in the way."""

import datetime as dt
from collections.abc import Collection, Iterator
from pathlib import Path

import orjson
import pytest

from app.core import metrics
from app.core.config import load_settings
from app.core.index_store import StoreError
from app.core.log_canary import EVENT, MOST_WAITING, LogCanary
from app.core.log_setup import setup_logging, shutdown_logging

pytestmark = pytest.mark.req("SHP-08")


class Search:
    """An Elasticsearch that has what it is told to have."""

    def __init__(self) -> None:
        self.has: set[str] = set()
        self.asked: list[set[str]] = []
        self.remembered: dt.datetime | None = None
        self.away = False

    def found(self, idents: Collection[str]) -> set[str]:
        """Those that it has."""
        if self.away:
            raise StoreError("not reachable")
        self.asked.append(set(idents))
        return self.has & set(idents)

    def newest(self) -> dt.datetime | None:
        """What an earlier process left."""
        if self.away:
            raise StoreError("not reachable")
        return self.remembered


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


class World:
    """A canary over a spool of its own."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.search, self.clock = Search(), Clock()
        settings = load_settings(_env_file=None, spool_dir=str(self.spool), log_stdout=False, log_level="ERROR", environment="test")
        setup_logging(settings, "cleanup")
        self._before = {outcome: counted(outcome) for outcome in ("written", "found", "missing")}
        self.canary = LogCanary(self.search, 30, self.clock)

    def written(self) -> list[str]:
        """The ids of the canaries in the spool."""
        lines = b"".join(path.read_bytes() for path in sorted(self.spool.glob("*.ndjson"))).splitlines()
        return [record["request_id"] for record in map(orjson.loads, lines) if record.get("event") == EVENT]

    def counts(self, outcome: str) -> float:
        """How many since the beginning of the test."""
        return counted(outcome) - self._before[outcome]

    def steps(self, seconds: int) -> None:
        """Let time pass, half a second each step."""
        for _ in range(2 * seconds):
            self.canary.step()
            self.clock.now += 0.5


def counted(outcome: str) -> float:
    """The counter's value."""
    return metrics.REGISTRY.get_sample_value("canary_records_total", {"outcome": outcome}) or 0.0


def last_found() -> float | None:
    """When the newest canary that was found had been written."""
    return metrics.REGISTRY.get_sample_value("canary_last_found_timestamp_seconds")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Fresh."""
    yield World(tmp_path)
    shutdown_logging()


def test_it_is_written_in_its_pause_whatever_the_level(world: World) -> None:
    """LOG_LEVEL=ERROR leaves out other INFO records, not this one; one in each pause, each with an id of its own."""
    world.steps(61)
    assert len(set(world.written())) == 3
    assert world.counts("written") == 3


def test_what_is_found_shows_its_delay_and_is_not_asked_for_again(world: World) -> None:
    """The gauge holds when the record was written, not when it was found."""
    world.steps(4)
    (ident,) = world.written()
    world.search.has.add(ident)
    world.steps(4)
    assert world.counts("found") == 1
    assert last_found() == 1000.0
    asked = len(world.search.asked)
    world.steps(2)
    assert len(world.search.asked) == asked


def test_an_older_one_that_is_found_later_does_not_turn_the_age_back(world: World) -> None:
    """They may arrive in any order."""
    world.steps(35)
    first, second = world.written()
    world.search.has.add(second)
    world.steps(1)
    world.search.has.add(first)
    world.steps(1)
    assert world.counts("found") == 2
    assert last_found() == 1030.0


def test_a_restart_remembers_the_last_one_that_was_found(world: World) -> None:
    """Else a process that crashes again and again would hide that nothing arrives."""
    world.search.remembered = dt.datetime.fromtimestamp(500, dt.UTC)
    world.steps(1)
    assert last_found() == 500


def test_without_elasticsearch_it_goes_on_writing(world: World) -> None:
    """What can't be looked for is looked for later."""
    world.search.away = True
    world.steps(65)
    assert world.counts("written") == 3
    world.search.away = False
    world.search.has = set(world.written())
    world.steps(6)
    assert world.counts("found") == 3


def test_one_that_never_comes_counts_as_missing_in_the_end(world: World) -> None:
    """So the list of those that are waited for stays short."""
    world.steps(30 * (MOST_WAITING + 2))
    assert world.counts("missing") == 2
    assert max(map(len, world.search.asked)) == MOST_WAITING
