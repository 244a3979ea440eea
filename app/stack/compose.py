"""The same commands where Docker Compose runs the stack."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any, Final

from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.render import render_alertmanager
from app.stack.secret_files import write_elasticsearch_users, write_secret_files
from app.stack.stack import Stack

_PASSWORD_IN_CONTAINER: Final = "/run/secrets/smtp_password"  # noqa: S105 (a path)


def compose_up(stack: Stack) -> None:
    """Make secrets and rendered files, then start every service and wait until each is healthy. Raises StackError."""
    prepare_files(stack)
    _compose(stack, "up", "-d", "--wait", what="Starting the containers")


def compose_down(stack: Stack) -> None:
    """Stop and remove the containers; the volumes stay. Raises StackError."""
    _compose(stack, "down", what="Stopping the containers")


def prepare_files(stack: Stack) -> None:
    """Write what the containers mount: secret files, Elasticsearch's users, Alertmanager's configuration."""
    stack.paths.create()
    write_secret_files(stack)
    write_elasticsearch_users(stack, stack.paths.etc / "elasticsearch")
    render_alertmanager(stack.settings, stack.paths.etc / "alertmanager", smtp_password_file=_PASSWORD_IN_CONTAINER)


def compose_status(stack: Stack) -> list[dict[str, Any]]:
    """What Compose knows of each service: Service, State, Health, Publishers … Raises StackError."""
    printed = _compose(stack, "ps", "--all", "--format", "json", what="Asking for the containers", capture=True)
    lines = [json.loads(line) for line in printed.splitlines() if line.strip()]
    return [item for entry in lines for item in (entry if isinstance(entry, list) else [entry])]


def is_healthy(service: dict[str, Any]) -> bool:
    """Whether a service runs and its health check, where it has one, passes; finished one-off tasks count."""
    if service.get("State") == "exited":
        return int(service.get("ExitCode", 1)) == 0
    return service.get("State") == "running" and service.get("Health", "") in ("", "healthy")


def _compose(stack: Stack, *arguments: str, what: str, capture: bool = False) -> str:
    command: Sequence[str] = ["docker", "compose", "--env-file", str(stack.paths.env_file), *arguments]
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, env=dict(os.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise StackError("docker is not on the PATH. Install Docker, or run the stack without it: make up MODE=native") from None
    if done.returncode:
        raise StackError(f"{what} failed, see above. `docker compose logs` says more; `make up MODE=native` needs no containers.")
    return done.stdout or ""
