"""psql, pg_dump and pg_restore of the version that the stack's server has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.stack.commands import library_path
from app.stack.components import COMPONENTS
from app.stack.environment import base_environment
from app.stack.errors import StackError
from app.stack.install import apt
from app.stack.model import Apt
from app.stack.stack import Stack

_OF_THE_SYSTEM: Final = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class PostgresClient:
    """The folder of the programs, and the environment in which they find their libraries."""

    folder: Path
    env: dict[str, str]


def postgres_client(stack: Stack) -> PostgresClient:
    """What this machine has, else Debian's package, unpacked into the cache like the server's. Raises StackError."""
    cache = stack.paths.cache
    server = apt.home(COMPONENTS["postgres"].name, cache)
    versions = sorted(path.parent.parent.name for path in server.glob("usr/lib/postgresql/*/bin/postgres"))
    if not versions:
        raise StackError("PostgreSQL is not installed here yet. Start the stack once: make up")
    version = versions[-1]
    home = apt.home(f"postgres-client-{version}", cache)
    for tree in (server, home):
        folder = tree / "usr/lib/postgresql" / version / "bin"
        if (folder / "pg_dump").exists():
            return PostgresClient(folder, {**base_environment(), "LD_LIBRARY_PATH": library_path(tree)})
    if all((_OF_THE_SYSTEM / version / "bin" / name).exists() for name in ("pg_dump", "pg_restore", "psql")):
        return PostgresClient(_OF_THE_SYSTEM / version / "bin", base_environment())
    source = Apt((f"postgresql-client-{version}",), "usr/lib/postgresql/*/bin/pg_dump")
    apt.install(source, home, cache, lambda _text: None)
    return PostgresClient(home / "usr/lib/postgresql" / version / "bin", {**base_environment(), "LD_LIBRARY_PATH": library_path(home)})
