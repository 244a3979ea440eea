"""The beginning and the end of calls in the database, for several workers at once."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.log_setup import configure_logging, shutdown_logging
from app.db.engine import Database
from app.db.migrate import upgrade_trial_database
from app.domain.calls import CallMissingError, CallRefusedError, end_call, end_forgotten, enter_call, start_call, sweep_forgotten
from tests.support.asgi import sample
from tests.support.backend import settings_for
from tests.support.records import spooled
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

MOST = 10


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


@pytest.fixture
async def workers(tmp_path: Path, anyio_backend: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two workers' pools over one database."""
    settings = settings_for(tmp_path)
    configure_logging(settings, "app")
    pair = (Database(settings), Database(settings))
    await upgrade_trial_database(pair[0])
    yield pair
    for database in pair:
        await database.close()
    shutdown_logging()


async def _age(database: Database, call_sid: str, seconds: float, idle: float = 0) -> None:
    """Let a call have begun so long ago, and nothing have happened in it for `idle` seconds."""
    from app.db import calls

    async with database.session() as session:
        call = await calls.find(session, call_sid)
        assert call is not None
        now = datetime.now(UTC)
        call.started_at = now - timedelta(seconds=seconds)
        call.active_at = now - timedelta(seconds=idle)


@pytest.mark.req("BIZ-01")
async def test_each_call_that_begins_is_counted(workers: tuple[Database, Database]) -> None:
    """Five calls: +5. A made id is CA and 32 hexadecimal digits, and each is another one."""
    before = sample("calls_total")
    ids = {await start_call(workers[0], "ayse", None, MOST) for _ in range(5)}
    assert sample("calls_total") == before + 5
    assert len(ids) == 5
    assert all(re.fullmatch(r"CA[0-9a-f]{32}", ident) for ident in ids)


async def test_two_workers_see_the_same_call(workers: tuple[Database, Database]) -> None:
    """Begun in one, it goes on and ends in the other; its turns are counted across both."""
    first, second = workers
    call_sid = await start_call(first, "ayse", "call-1", MOST)
    assert [await enter_call(worker, "ayse", call_sid, turns=1) for worker in (first, second, first)] == [1, 2, 3]
    assert (await end_call(second, "ayse", call_sid)).turns == 3
    with pytest.raises(CallMissingError):
        await enter_call(first, "ayse", call_sid)


async def test_a_call_ends_once(workers: tuple[Database, Database]) -> None:
    """Hung up in both workers at once, it is counted and measured once."""
    call_sid = await start_call(workers[0], "ayse", None, MOST)
    before = sample("call_duration_seconds_count")
    ended = await asyncio.gather(*(end_call(worker, "ayse", call_sid) for worker in workers), return_exceptions=True)
    assert [isinstance(result, CallMissingError) for result in ended].count(True) == 1
    assert sample("call_duration_seconds_count") == before + 1


@pytest.mark.req("BIZ-03", "C-10")
async def test_calls_of_10_and_20_seconds_have_a_mean_of_15(workers: tuple[Database, Database]) -> None:
    """Sum and count of call_duration_seconds give the mean that average_call_duration_seconds records."""
    total, count = sample("call_duration_seconds_sum"), sample("call_duration_seconds_count")
    begun = time.monotonic()
    lasted = []
    for seconds in (10, 20):
        call_sid = await start_call(workers[0], "ayse", None, MOST)
        await _age(workers[0], call_sid, seconds)
        lasted.append((await end_call(workers[0], "ayse", call_sid)).duration_seconds)
    slack = time.monotonic() - begun + 0.1  # they go on while the test does
    assert lasted == [pytest.approx(10, abs=slack), pytest.approx(20, abs=slack)]
    counted = sample("call_duration_seconds_count") - count
    assert (sample("call_duration_seconds_sum") - total) / counted == pytest.approx(15, abs=slack)


async def test_somebody_elses_call_cannot_be_told_from_none(workers: tuple[Database, Database]) -> None:
    """Neither entered nor ended by another user."""
    call_sid = await start_call(workers[0], "ayse", "call-2", MOST)
    with pytest.raises(CallMissingError):
        await enter_call(workers[0], "mehmet", call_sid)
    with pytest.raises(CallMissingError):
        await end_call(workers[0], "mehmet", call_sid)
    assert (await end_call(workers[0], "ayse", call_sid)).turns == 0


async def test_an_id_is_one_call_at_a_time(workers: tuple[Database, Database]) -> None:
    """A second call of that id is refused and not counted, also when both begin at once; after the end it is free."""
    before = sample("calls_total")
    begun = await asyncio.gather(*(start_call(worker, "ayse", "call-3", MOST) for worker in workers), return_exceptions=True)
    refused = [result for result in begun if isinstance(result, CallRefusedError)]
    assert [error.reason for error in refused] == ["exists"]
    assert sample("calls_total") == before + 1
    await end_call(workers[0], "ayse", "call-3")
    assert await start_call(workers[1], "ayse", "call-3", MOST) == "call-3"


async def test_calls_are_bounded(workers: tuple[Database, Database]) -> None:
    """Beyond the limit a call is refused until another has ended."""
    ids = [await start_call(workers[0], "ayse", None, 2) for _ in range(2)]
    with pytest.raises(CallRefusedError) as caught:
        await start_call(workers[1], "ayse", None, 2)
    assert caught.value.reason == "too_many"
    await end_call(workers[0], "ayse", ids[0])
    await start_call(workers[1], "ayse", None, 2)


async def test_a_forgotten_call_ends_by_itself(workers: tuple[Database, Database], tmp_path: Path) -> None:
    """Counted as forgotten, a WARNING with its id; its length ends with its last sign of life; a lively one goes on."""
    await start_call(workers[0], "ayse", "quiet", MOST)
    await start_call(workers[0], "ayse", "lively", MOST)
    await _age(workers[0], "quiet", 400, idle=301)
    await _age(workers[0], "lively", 400, idle=240)
    forgotten, total = sample("calls_ended_total", reason="forgotten"), sample("call_duration_seconds_sum")
    assert await end_forgotten(workers[1], 300) == 1
    assert await end_forgotten(workers[0], 300) == 0
    assert sample("calls_ended_total", reason="forgotten") == forgotten + 1
    assert sample("call_duration_seconds_sum") - total == pytest.approx(99, abs=1)
    (record,) = [record for record in spooled(tmp_path / "spool") if record.get("event") == "call.forgotten"]
    assert (record["level"], record["call_sid"]) == ("WARNING", "quiet")
    await enter_call(workers[0], "ayse", "lively")


async def test_the_sweep_outlives_a_database_that_is_away(
    workers: tuple[Database, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once, and ends the forgotten call when the database is back."""
    database = workers[0]
    await start_call(database, "ayse", "lost", MOST)
    await _age(database, "lost", 400, idle=300)
    tries = 0
    real = database.connection

    def sometimes() -> object:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError("away")
        return real()

    monkeypatch.setattr(database, "connection", sometimes)
    sweep = asyncio.create_task(sweep_forgotten(database, 0.04))
    try:
        await asyncio.to_thread(wait_until, "the call being ended", lambda: "call.forgotten" in _events(tmp_path))
    finally:
        sweep.cancel()
        await asyncio.wait({sweep})  # while its database is there: a query whose connection is closed under it may never end
    assert _events(tmp_path).count("call.sweep_failed") == 1


def _events(folder: Path) -> list[str]:
    return [str(record.get("event")) for record in spooled(folder / "spool")]
