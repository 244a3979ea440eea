"""The migrations on PostgreSQL."""

import subprocess
import sys

import pytest

from tests.support.processes import CHECKOUT, bare_environment
from tests.support.servers import Postgres

pytestmark = pytest.mark.req("DBQ-08")


def _alembic(postgres: Postgres, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "alembic", *arguments]
    env = bare_environment(DATABASE_URL=postgres.url)
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _run(postgres: Postgres, *arguments: str) -> None:
    process = _alembic(postgres, *arguments)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert postgres.password not in errors


def test_down_and_up_again_leads_to_what_the_models_say(postgres: Postgres) -> None:
    """`downgrade base`, `upgrade head`, and `check` finds nothing to generate."""
    _run(postgres, "downgrade", "base")
    assert postgres.ask("SELECT to_regclass('posts') IS NULL") == "True"
    _run(postgres, "upgrade", "head")
    _run(postgres, "check")


def test_instances_that_migrate_at_once_wait_for_one_another(postgres: Postgres) -> None:
    """Three upgrades at the same time on an empty database: one does it, the others find it done."""
    _run(postgres, "downgrade", "base")
    several = [_alembic(postgres, "upgrade", "head") for _ in range(3)]
    outcomes = [(process.communicate(timeout=120)[1], process.returncode) for process in several]
    assert [code for _, code in outcomes] == [0, 0, 0], outcomes
    assert sum("Running upgrade" in text for text, _ in outcomes) == 1


def test_a_migration_does_not_queue_for_ever_behind_a_busy_table(postgres: Postgres) -> None:
    """Waiting for a lock has an end, so that the application doesn't stand still behind a waiting migration."""
    with postgres.locking("posts"):
        process = _alembic(postgres, "downgrade", "base")
        _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "lock timeout" in errors
    assert postgres.ask("SELECT to_regclass('posts') IS NOT NULL") == "True"
