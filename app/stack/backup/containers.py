"""The stack in containers: databases through their published ports or their own programs, folders through a container of our image.

A volume is read and filled by our own image under the user that owns it, without network and with nothing else mounted.
So no other image has to bring tar, and SQLite's databases are copied by SQLite.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final

from app.stack.backup import place
from app.stack.backup.stack_place import StackPlace
from app.stack.backup.streams import Command, Take, input_of, output_of
from app.stack.compose import compose, compose_environment, compose_status, is_healthy, prepare_files
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT

_INSIDE: Final = "/volume"


@dataclass(frozen=True, slots=True)
class _Volume:
    service: str
    volume: str


_VOLUMES: Final = {
    place.SPOOL: _Volume("shipper", "spool"),
    place.ERROR_TRACKER: _Volume("error-tracker", "error-tracker"),
    place.GRAFANA: _Volume("grafana", "grafana"),
    place.ALERTMANAGER: _Volume("alertmanager", "alertmanager"),
    place.PROMETHEUS: _Volume("prometheus", "prometheus"),
    place.ARCHIVES: _Volume("cleanup", "archive"),
    "postgres": _Volume("postgres", "postgres"),
    "elasticsearch": _Volume("elasticsearch", "elasticsearch"),
}

_SIGNED_IN: Final = 'PGPASSWORD="$(cat /run/secrets/postgres_password)" exec "$0" "$@"'
"""The password is read inside of the container; no process list of the host shows it."""


class ContainerPlace(StackPlace):
    """A `Place` over Docker Compose."""

    mode: Final = "compose"

    def has(self, store: str) -> bool:
        """See the protocol. A service whose profile is off has no container."""
        return _VOLUMES[store].service in self._running

    def must_run(self, store: str) -> None:
        """See the protocol."""
        service = _VOLUMES[store].service
        if not is_healthy(self._running.get(service, {})):
            raise StackError(f"The container of {service} is not healthy. Start it and try again: make up")

    def postgres(self, program: str, *arguments: str) -> Command:
        """See the protocol."""
        user = ["-e", "PGUSER=nobet", "-e", "PGDATABASE=nobet"]
        base = ["docker", "compose", "--project-directory", str(CHECKOUT), "--env-file", str(self._stack.paths.env_file)]
        return Command([*base, "exec", "-T", *user, "postgres", "sh", "-c", _SIGNED_IN, program, *arguments], self._environment)

    def tree(self, store: str, counts: dict[str, int], below: str = "") -> Iterator[bytes]:
        """See the protocol."""
        return output_of(self._inside(store, "save", below), f"Reading the volume of {store}", lambda words: counts.update(_last(words)))

    def put_tree(self, store: str) -> AbstractContextManager[Take]:
        """See the protocol."""
        return input_of(self._inside(store, "load"), f"Filling the volume of {store}")

    def drop_tree(self, store: str, below: str) -> None:
        """See the protocol."""
        for _chunk in output_of(self._run(store, ["rm", "-rf", _path(below)]), f"Tidying the volume of {store}"):
            pass

    def count_tree(self, store: str) -> dict[str, int]:
        """See the protocol."""
        return dict(self._answer(store, "count"))

    def files(self, store: str) -> list[place.StoredFile]:
        """See the protocol."""
        listed = self._answer(store, "list")["files"]
        return [place.StoredFile(name, size, stamp) for name, size, stamp in listed if name.endswith((".age", ".json"))]

    def folders(self, store: str, below: str = "") -> list[str]:
        """See the protocol."""
        return list(self._answer(store, "list", below)["folders"])

    def file(self, store: str, name: str) -> Iterator[bytes]:
        """See the protocol."""
        return output_of(self._inside(store, "read", name), f"Reading {name} of {store}")

    def occupied(self) -> list[str]:
        """See the protocol. Also makes the containers, and with them the volumes, without starting any."""
        return list(self._filled)

    def make_room(self) -> str:
        """See the protocol. Volumes can't be renamed, and nothing is deleted here: whoever wants that says so to Docker."""
        if self._filled:
            raise StackError(
                "The volumes have data, and they can't be put aside. Make a backup, delete them with "
                "`docker compose down --volumes`, and run again."
            )
        return ""

    def put_settings(self, text: str) -> None:
        """See the protocol."""
        super().put_settings(text)
        prepare_files(self._stack)

    def start_stores(self) -> None:
        """See the protocol."""
        compose(self._stack, "up", "-d", "--wait", "postgres", "elasticsearch", what="Starting PostgreSQL and Elasticsearch")

    def finished(self) -> None:
        """See the protocol."""

    @property
    def _environment(self) -> dict[str, str]:
        return compose_environment(self._stack)

    @cached_property
    def _filled(self) -> list[str]:
        prepare_files(self._stack)
        compose(self._stack, "create", what="Making the containers")
        return [store for store in _VOLUMES if any(self._answer(store, "list", user="0:0").values())]

    @cached_property
    def _running(self) -> dict[str, dict[str, Any]]:
        return {service["Service"]: service for service in compose_status(self._stack) if service.get("State") == "running"}

    @cached_property
    def _config(self) -> dict[str, Any]:
        printed = compose(self._stack, "--profile", "*", "config", "--format", "json", what="Reading docker-compose.yml", capture=True)
        config: dict[str, Any] = json.loads(printed)
        return config

    def _answer(self, store: str, action: str, below: str = "", user: str = "") -> Any:
        return json.loads(b"".join(output_of(self._inside(store, action, below, user), f"Looking into the volume of {store}")))

    def _inside(self, store: str, action: str, below: str = "", user: str = "") -> Command:
        return self._run(store, ["python", "-m", "app.stack.backup.tar", action, _path(below)], user)

    def _run(self, store: str, command: list[str], user: str = "") -> Command:
        """A container that sees one volume and nothing else, as the user that owns the files."""
        wanted, services = _VOLUMES[store], self._config["services"]
        volume, image = self._config["volumes"][wanted.volume]["name"], services["cleanup"]["image"]
        owner = user or services[wanted.service]["user"]
        options = ["--rm", "-i", "--network", "none", "--user", owner, "--volume", f"{volume}:{_INSIDE}"]
        return Command(["docker", "run", *options, image, *command], self._environment)


def _path(below: str) -> str:
    return str(PurePosixPath(_INSIDE) / below)


def _last(words: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(words.strip().splitlines()[-1])
    return found
