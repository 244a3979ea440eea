"""The migrations, on SQLite. The same on PostgreSQL is in tests/integration/app."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from app.core.config import Settings
from app.db.engine import Database
from app.db.migrate import alembic_config, upgrade_trial_database
from app.db.models import Base
from tests.support.records import spooled

pytestmark = [pytest.mark.anyio, pytest.mark.req("DBQ-08")]

CHECKOUT = Path(__file__).parents[3]

START = """
import asyncio
from app.core.config import load_settings
from app.db.engine import Database
from app.db.migrate import upgrade_trial_database

async def main():
    database = Database(load_settings(_env_file=None))
    await upgrade_trial_database(database)
    await database.ping()
    await database.close()

asyncio.run(main())
"""


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


async def test_migrations_lead_to_what_the_models_say(database: Database) -> None:
    """After the upgrade nothing is left to generate."""
    async with database.connection() as connection:
        assert await connection.run_sync(_differences) == []


async def test_every_migration_can_be_undone_and_done_again(database: Database) -> None:
    """Down to nothing and up again."""
    async with database.connection() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
        assert set(await connection.run_sync(lambda sync: inspect(sync).get_table_names())) <= {"alembic_version"}
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))
        assert await connection.run_sync(_differences) == []


def test_there_is_one_line_of_migrations() -> None:
    """Two heads would leave `upgrade head` undecided."""
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


async def test_a_second_start_changes_nothing(database: Database, tmp_path: Path) -> None:
    """`db.migrated` is logged once, by the start that did it."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    await upgrade_trial_database(database)
    assert [record["version"] for record in spooled(tmp_path / "spool") if record.get("event") == "db.migrated"] == [head]


async def test_workers_that_start_at_once_do_not_get_into_each_others_way(settings: Settings, tmp_path: Path, anyio_backend: str) -> None:
    """Four processes on one new SQLite file: all succeed."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'shared.db'}"}
    workers = [await asyncio.create_subprocess_exec(sys.executable, "-c", START, env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [await worker.wait() for worker in workers] == [0, 0, 0, 0]


def test_the_command_line_migrates_the_database_of_the_settings(tmp_path: Path) -> None:
    """`alembic upgrade head`, `alembic check`, `alembic downgrade base` from the checkout."""
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'cli.db'}"}
    for arguments in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments], env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
