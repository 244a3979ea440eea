"""Steps before the first start: a database cluster that exists, a schema that is current."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from app.stack.commands import library_path
from app.stack.environment import base_environment, environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.model import Component
from app.stack.paths import CHECKOUT
from app.stack.prepare_error_tracker import prepare_error_tracker
from app.stack.privileges import as_ordinary_user
from app.stack.stack import Stack

_SECONDS: Final = 180
"""A slow disk takes a minute for a new database cluster; more means that something waits for ever."""


def prepare(stack: Stack, component: Component, home: Path) -> None:
    """Run the component's step, if it has one. Raises StackError."""
    working = stack.paths.run / component.name
    for folder in (stack.paths.data / component.name, working, working / "tmp"):
        folder.mkdir(mode=0o700, exist_ok=True)
    if component.prepare:
        _STEPS[component.prepare](stack, component, home)


def _postgres(stack: Stack, component: Component, home: Path) -> None:
    """Create the cluster, its role and its database; give the role a new password when the secret changed."""
    data = stack.paths.data / component.name
    server = _newest(home)
    version_file = data / "PG_VERSION"
    if version_file.exists():
        _check_version(version_file.read_text().strip(), server, data)
    else:
        _create_cluster(stack, home, server, data)
    password = stack.secret("POSTGRES_PASSWORD")
    stamp = hashlib.sha256(password.encode()).hexdigest()
    stamp_file = stack.paths.secrets / "postgres_role.sha256"
    if not stamp_file.exists() or stamp_file.read_text() != stamp or not (data / "nobet-role").exists():
        _set_role(stack, home, server, data, password)
        write_private(stamp_file, stamp)
        write_private(data / "nobet-role", "The role and the database nobet exist.\n")


def _create_cluster(stack: Stack, home: Path, server: Path, data: Path) -> None:
    building = data.with_name("postgres.part")
    shutil.rmtree(building, ignore_errors=True)
    command = [str(server / "initdb"), "-D", str(building), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
    _run(stack, home, [*command, "-A", "scram-sha-256", "--pwfile=/dev/stdin", "--no-instructions"], "Creating the database", _random())
    data.rmdir()
    building.rename(data)


def _set_role(stack: Stack, home: Path, server: Path, data: Path, password: str) -> None:
    exists = (data / "nobet-role").exists()
    secret = password.replace("'", "''")
    statements = (
        [f"ALTER ROLE nobet PASSWORD '{secret}';"]
        if exists
        else [
            f"CREATE ROLE nobet LOGIN PASSWORD '{secret}';",
            "GRANT pg_monitor TO nobet;",
            "CREATE DATABASE nobet OWNER nobet;",
        ]
    )
    config = stack.paths.etc / "postgres" / "postgresql.conf"
    command = [str(server / "postgres"), "--single", "-D", str(data), "-c", f"config_file={config}", "postgres"]
    output = _run(stack, home, command, "Creating the database role", "\n".join(statements) + "\n")
    failed = re.search(r"(?:ERROR|FATAL):\s+(.*)", output)
    if failed:
        raise StackError(f"Creating the database role failed: {failed[1]}. `make clean` removes the data for a new start.")


def _app(stack: Stack, component: Component, home: Path) -> None:
    """Bring the schema up to date, once for all workers."""
    arguments = ["-m", "alembic", "-c", str(CHECKOUT / "alembic.ini"), "upgrade", "head"]
    _run_own(stack, component, home, "migrate", arguments, "The database migration")


def _shipper(stack: Stack, component: Component, home: Path) -> None:
    """Put the index templates in place, as the one user who may; the shipper itself never sees that password."""
    admin = {"ELASTICSEARCH_ADMIN_PASSWORD": stack.secret("ELASTICSEARCH_ADMIN_PASSWORD")}
    _run_own(stack, component, home, "setup", ["-m", "app.shipper", "setup"], "Setting up Elasticsearch", admin)


def _run_own(
    stack: Stack, component: Component, home: Path, name: str, arguments: list[str], what: str, secrets: Mapping[str, str] | None = None
) -> None:
    """Run a step of our own code with the component's environment and `secrets`; its output goes to a log file."""
    env = {**base_environment(), **environment(stack, component, home), **(secrets or {})}
    log, folder = stack.paths.log_file(name), stack.paths.run / component.name
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                [sys.executable, *arguments], env=env, cwd=folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, timeout=_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise StackError(f"{what} did not finish in {_SECONDS} s. See {log}.") from None
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise StackError(f"{what} failed: {' '.join(last)} (all of it: {log})")


_STEPS: Final[Mapping[str, Callable[[Stack, Component, Path], None]]] = {
    "postgres": _postgres,
    "app": _app,
    "shipper": _shipper,
    "error_tracker": prepare_error_tracker,
}


def _newest(home: Path) -> Path:
    found = sorted(home.glob("usr/lib/postgresql/*/bin/postgres"))
    if not found:
        raise StackError(f"The unpacked PostgreSQL in {home} has no server. Remove that folder and run again.")
    return found[-1].parent


def _check_version(of_data: str, server: Path, data: Path) -> None:
    of_server = server.parent.name
    if of_data != of_server:
        raise StackError(
            f"{data} belongs to PostgreSQL {of_data}, and this machine has {of_server}. "
            "Take a dump with the old one, or remove the data with `make clean`."
        )


def _random() -> str:
    return os.urandom(24).hex() + "\n"


def _run(stack: Stack, home: Path, command: list[str], what: str, stdin: str) -> str:
    env = {**base_environment(), "LD_LIBRARY_PATH": library_path(home)}
    try:
        done = subprocess.run(
            [*as_ordinary_user(), *command],
            env=env, cwd=stack.paths.data, input=stdin, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StackError(f"{what} did not finish in {_SECONDS} s.") from None
    output = done.stdout + done.stderr
    if done.returncode:
        raise StackError(f"{what} failed: {' '.join(output.split())[-400:]}")
    return output
