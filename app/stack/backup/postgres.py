"""PostgreSQL: a dump of one moment, with the rows of every table counted in that same moment."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from app.stack.backup.place import Place
from app.stack.backup.saver import Saver
from app.stack.backup.streams import Command, Pour, input_of, output_of
from app.stack.errors import StackError

NAME: Final = "postgres"

_PART: Final = "nobet.dump"

_TABLES: Final = (
    "SELECT format('SELECT %L, count(*) FROM %I.%I;', nspname || '.' || relname, nspname, relname) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    r"WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' "
    "ORDER BY 1"
)
"""One statement for each table, which psql's \\gexec then runs."""

_END: Final = "-- end"


def save_postgres(place: Place, saver: Saver) -> str:
    """Dump the database as pg_dump's own archive, for any PostgreSQL that is not older. Raises StackError."""
    with _session(place.postgres("psql", *_QUIET)) as session:
        saver.versions["PostgreSQL"] = session.ask("SHOW server_version;")[0]
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        (snapshot,) = session.ask("SELECT pg_export_snapshot();")
        counts = _counts(session)
        dump = place.postgres("pg_dump", "--format=custom", "--compress=0", "--no-owner", f"--snapshot={snapshot}")
        saver.save(NAME, _PART, output_of(dump, "Dumping the database"), counts)
    return _told(counts)


def restore_postgres(place: Place, pour: Pour, expected: dict[str, int]) -> str:
    """Load the dump into an empty database, all of it or nothing, and count the rows. Raises StackError."""
    command = place.postgres("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--dbname=nobet")
    with input_of(command, "Restoring the database") as take:
        pour(take)
    with _session(place.postgres("psql", *_QUIET)) as session:
        found = _counts(session)
    wrong = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if wrong:
        raise StackError(
            f"PostgreSQL has other numbers of rows than the backup in {', '.join(wrong)}. "
            "Does something write to it? Stop that and try again."
        )
    return _told(found)


_QUIET: Final = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=|", "--set=ON_ERROR_STOP=1")


class _Session:
    """A psql that is asked one thing after another."""

    def __init__(self, process: "subprocess.Popen[str]", asking: IO[str], answers: IO[str]) -> None:
        self._process = process
        self._asking = asking
        self._answers = answers

    def ask(self, statement: str) -> list[str]:
        """The lines of the answer. Raises StackError with psql's own words."""
        try:
            self._asking.write(f"{statement}\n\\echo '{_END}'\n")
            self._asking.flush()
        except BrokenPipeError:
            pass
        lines: list[str] = []
        for line in self._answers:
            if line.rstrip("\n") == _END:
                return lines
            lines.append(line.rstrip("\n"))
        assert self._process.stderr is not None  # noqa: S101 (a pipe, see below)
        said = " ".join(self._process.stderr.read().split())[-400:]
        raise StackError(f"PostgreSQL can't be asked: {said or 'it hung up'}. `make up` starts it.")


@contextmanager
def _session(command: Command) -> Iterator[_Session]:
    with subprocess.Popen(
        command.argv, env=dict(command.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 (asked for above)
        assert process.stdout is not None  # noqa: S101
        try:
            yield _Session(process, process.stdin, process.stdout)
        finally:
            process.kill()


def _counts(session: _Session) -> dict[str, int]:
    lines = session.ask(f"{_TABLES} \\gexec")
    return {name: int(count) for name, _, count in (line.rpartition("|") for line in lines)}


def _told(counts: dict[str, int]) -> str:
    return f"{sum(counts.values()):,} rows in {len(counts)} tables"
