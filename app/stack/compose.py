"""The same commands where Docker Compose runs the stack."""

import json
import os
import subprocess
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.ports import PORTS, port
from app.stack.env_file import GENERATED
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.gateway.place import challenges, gateway_texts
from app.stack.paths import CHECKOUT
from app.stack.render import render_alertmanager, smarthost
from app.stack.secret_files import elasticsearch_user_files
from app.stack.stack import Stack

_INBOX: Final = "mailpit:1025"

_SECRETS_IN_CONTAINER: Final = "/run/secrets"
_ONCALL: Final = f"http://oncall:{PORTS['oncall']}"

_GIVEN: Final = (
    "ANALYTICS_OLD_KEYS",
    "SMTP_PASSWORD",
    "SENTRY_DSN",
    "ONCALL_HEARTBEAT_URL",
    "ONCALL_WEBHOOK_KEY",
    "SLACK_WEBHOOK_URL",
    "SLACK_SIGNING_SECRET",
    "PAGERDUTY_KEY",
    "OPSGENIE_KEY",
    "TELEGRAM_BOT_TOKEN",
)
"""Secrets that nobody can generate; empty unless somebody sets them."""


def compose_up(stack: Stack) -> None:
    """Make the files that containers mount, then start every service and wait until each is healthy. Raises StackError."""
    prepare_files(stack)
    # Once for the services that share it. Left to `up`, a Docker without BuildKit builds it for all of them at the same time, each another
    # image; the next `up` may then take another of these and replace containers of which nothing has changed.
    compose(stack, "build", "app", what="Building the image of the services")
    compose(stack, "up", "-d", "--wait", what="Starting the containers")


def compose_down(stack: Stack) -> None:
    """Stop and remove the containers; the volumes stay. Raises StackError."""
    compose(stack, "down", what="Stopping the containers")


def compose_stop(stack: Stack, names: Sequence[str]) -> None:
    """Stop some services. Raises StackError."""
    compose(stack, "stop", *names, what=f"Stopping {', '.join(names)}")


def compose_exec(stack: Stack, service: str, command: Sequence[str], handed: Mapping[str, str]) -> int:
    """Run a command in a service's container; its exit code. `handed` variables go by environment, so no process list shows them."""
    names = [option for name in handed for option in ("-e", name)]
    argv = ["docker", "compose", "--env-file", str(stack.paths.env_file), "exec", "-T", *names, service, *command]
    env = {**compose_environment(stack), **handed}
    try:
        return subprocess.run(argv, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        raise StackError("docker is not on the PATH. Install Docker, or run the stack without it: make up MODE=native") from None


def prepare_files(stack: Stack) -> None:
    """Write one file for each secret that docker-compose.yml names, into a folder that only its owner may enter.

    The files themselves are readable by all: containers run as other users, and Compose keeps the mode.
    """
    stack.paths.create()
    challenges(stack)
    folder = stack.paths.secrets / "compose"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, text in secret_texts(stack).items():
        path = folder / name
        write_private(path, text)
        path.chmod(0o444)


def secret_texts(stack: Stack) -> dict[str, str]:
    """Name under `secrets` in docker-compose.yml → content."""
    plain = {name.lower(): stack.secret(name) for name in (*GENERATED, *_GIVEN)}
    users = {f"elasticsearch_{name}": text for name, text in elasticsearch_user_files(stack).items()}
    postgres, redis = (urllib.parse.quote(stack.secret(name), safe="") for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"))
    return {
        **plain,
        **users,
        **gateway_texts(stack),
        "error_tracker_key": stack.error_key,
        "sentry_dsn": stack.secret("SENTRY_DSN") or _own_dsn(stack),
        "database_url": f"postgresql+asyncpg://nobet:{postgres}@postgres:5432/nobet",
        "redis_url": f"redis://:{redis}@redis:6379/0",
        "alertmanager_config": render_alertmanager(
            stack.settings, smarthost=smarthost(stack.settings, _INBOX), secrets=_SECRETS_IN_CONTAINER, oncall=_ONCALL
        ),
    }


def compose_environment(stack: Stack) -> dict[str, str]:
    """What a Docker client needs to talk to this stack's containers: its folder, its published ports, its project name."""
    ports = {f"PORT_{name.upper()}": str(stack.port(name)) for name in PORTS}
    project = stack.explicit.get("COMPOSE_PROJECT_NAME") or (f"nobet-{stack.offset}" if stack.offset else "")
    with_acme = {"COMPOSE_PROFILES": ",".join(dict.fromkeys([*_chosen_profiles(stack), "acme"]))}
    profiles = with_acme if stack.settings.gateway_acme_email else {}
    return {**os.environ, **ports, **profiles, **({"COMPOSE_PROJECT_NAME": project} if project else {}), "STACK_DIR": str(stack.paths.root)}


def _chosen_profiles(stack: Stack) -> list[str]:
    """What somebody turned on."""
    return [name for name in stack.explicit.get("COMPOSE_PROFILES", "").split(",") if name]


def _own_dsn(stack: Stack) -> str:
    """Where error events go when the profile `errors` runs the tracker; empty when it does not."""
    return f"http://{stack.error_key}@error-tracker:{port('error_tracker')}/1" if "errors" in _chosen_profiles(stack) else ""


def compose_status(stack: Stack) -> list[dict[str, Any]]:
    """What Compose knows of each service: Service, State, Health, Publishers …; nothing when none has a container. Raises StackError.

    Two things are ours: `Once` says that it does its work and ends, the State "missing" that it should have a container and has none.
    """
    printed = compose(stack, "ps", "--all", "--format", "json", what="Asking for the containers", capture=True)
    lines = [json.loads(line) for line in printed.splitlines() if line.strip()]
    found = [item for entry in lines for item in (entry if isinstance(entry, list) else [entry])]
    if not found:
        return []
    wanted = json.loads(compose(stack, "config", "--format", "json", what="Reading docker-compose.yml", capture=True))["services"]
    once = {name for name, service in wanted.items() if service.get("restart") == "no"}
    missing = sorted(wanted.keys() - once - {item["Service"] for item in found})
    return [
        *({**item, "Once": item["Service"] in once} for item in found),
        *({"Service": name, "State": "missing", "Once": False} for name in missing),
    ]


def is_healthy(service: dict[str, Any]) -> bool:
    """Whether a service runs and its health check, where it has one, passes; one that does its work once may have ended well."""
    if service.get("State") == "exited":
        return bool(service.get("Once")) and int(service.get("ExitCode", 1)) == 0
    return service.get("State") == "running" and service.get("Health", "") in ("", "healthy")


def compose(stack: Stack, *arguments: str, what: str, capture: bool = False) -> str:
    """Run `docker compose` with these arguments; what it printed when that is captured. Raises StackError, which begins with `what`."""
    command: Sequence[str] = ["docker", "compose", "--env-file", str(stack.paths.env_file), *arguments]
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, env=compose_environment(stack), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise StackError("docker is not on the PATH. Install Docker, or run the stack without it: make up MODE=native") from None
    if done.returncode:
        raise StackError(f"{what} failed, see above. `docker compose logs` says more; `make up MODE=native` needs no containers.")
    return done.stdout or ""
