"""The stack as processes of this machine: its folders are at hand."""

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from rich.console import Console
from sqlalchemy.engine import make_url

from app.core.sealed import BLOCK
from app.stack.backup import place
from app.stack.backup.postgres_client import postgres_client
from app.stack.backup.stack_place import StackPlace
from app.stack.backup.streams import Command, Take, count_tree, tar_of, untar_into
from app.stack.components import COMPONENTS
from app.stack.down import down
from app.stack.environment import environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.probes import ask
from app.stack.up import up

_STORES: Final = {
    "postgres": "PostgreSQL",
    "elasticsearch": "Elasticsearch",
    place.PROMETHEUS: "Prometheus",
    place.ERROR_TRACKER: "error tracker",
    place.GRAFANA: "Grafana",
    place.ALERTMANAGER: "Alertmanager",
    "cleanup": "archives",
}
"""Folders under `data` → what people call them. A stack without any of them is empty."""


class NativePlace(StackPlace):
    """A `Place` over folders and ports."""

    mode: Final = "native"

    def has(self, store: str) -> bool:
        """See the protocol."""
        folder = self._folder(store)
        return folder.is_dir() and any(folder.iterdir())

    def must_run(self, store: str) -> None:
        """See the protocol."""
        component = COMPONENTS[store]
        reason = ask(component.probe, self._stack)
        if reason:
            raise StackError(f"{component.title} does not answer ({reason}). Start it and try again: nobet up {store}")

    def postgres(self, program: str, *arguments: str) -> Command:
        """See the protocol."""
        url = make_url(environment(self._stack, COMPONENTS["app"], None)["DATABASE_URL"])
        client = postgres_client(self._stack)
        signed_in = {
            "PGHOST": url.host or "",
            "PGPORT": str(url.port or 5432),
            "PGUSER": url.username or "",
            "PGPASSWORD": str(url.password or ""),
            "PGDATABASE": url.database or "",
            "PGCONNECT_TIMEOUT": "10",
        }
        return Command([str(client.folder / program), *arguments], {**client.env, **signed_in})

    def tree(self, store: str, counts: dict[str, int], below: str = "") -> Iterator[bytes]:
        """See the protocol."""
        return tar_of(self._folder(store) / below, counts)

    def put_tree(self, store: str) -> AbstractContextManager[Take]:
        """See the protocol."""
        return untar_into(self._folder(store))

    def drop_tree(self, store: str, below: str) -> None:
        """See the protocol."""
        shutil.rmtree(self._folder(store) / below, ignore_errors=True)

    def count_tree(self, store: str) -> dict[str, int]:
        """See the protocol."""
        return count_tree(self._folder(store))

    def files(self, store: str) -> list[place.StoredFile]:
        """See the protocol."""
        found = [path for path in sorted(self._folder(store).iterdir()) if path.is_file() and path.name.endswith((".age", ".json"))]
        return [place.StoredFile(path.name, path.stat().st_size, str(path.stat().st_mtime_ns)) for path in found]

    def folders(self, store: str, below: str = "") -> list[str]:
        """See the protocol."""
        folder = self._folder(store) / below
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def file(self, store: str, name: str) -> Iterator[bytes]:
        """See the protocol."""
        path = self._folder(store) / name
        try:
            with path.open("rb") as file:
                while chunk := file.read(BLOCK):
                    yield chunk
        except OSError as error:
            raise StackError(f"{path} can't be read ({error.strerror}). Run again.") from None

    def occupied(self) -> list[str]:
        """See the protocol."""
        if self._marker.exists():
            return []  # half of a restore is worth nothing
        data = self._stack.paths.data
        found = [title for name, title in _STORES.items() if (data / name).is_dir() and any((data / name).iterdir())]
        return [*found, *(["spool"] if self.has(place.SPOOL) else [])]

    def make_room(self) -> str:
        """See the protocol. The marker is set when nothing of the old data is left, so an interrupted restore never deletes any."""
        paths = self._stack.paths
        down(self._stack, Console(quiet=True))
        if self._marker.exists():
            for folder in (paths.data, paths.spool):
                shutil.rmtree(folder, ignore_errors=True)
            paths.create()
            return ""
        aside = paths.root / f"replaced-{dt.datetime.now(dt.UTC):%Y-%m-%dT%H-%M-%SZ}"
        paths.create()
        aside.mkdir(mode=0o700)
        if paths.env_file.exists():
            write_private(aside / ".env", paths.env_file.read_bytes())
        for folder in (paths.data, paths.spool):
            if any(folder.iterdir()):
                folder.rename(aside / folder.name)
        paths.create()
        write_private(self._marker, "A restore began and has not ended. Run it again.\n")
        return str(aside)

    def start_stores(self) -> None:
        """See the protocol."""
        up(self._stack, Console(quiet=True), ["postgres", "elasticsearch"])

    def finished(self) -> None:
        """See the protocol."""
        self._marker.unlink(missing_ok=True)

    @property
    def _marker(self) -> Path:
        return self._stack.paths.restoring

    def _folder(self, store: str) -> Path:
        if store == place.SPOOL:
            return self._stack.paths.spool
        if store == place.ARCHIVES:
            return Path(environment(self._stack, COMPONENTS["cleanup"], None)["LOG_ARCHIVE_DIR"])
        return self._stack.paths.data / store
