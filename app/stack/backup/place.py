"""How the stores of a stack are reached, in whichever way it runs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from app.stack.backup.streams import Command, Take


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that never changes once it is there."""

    name: str
    size: int
    stamp: str
    """Changes when another file of the same name takes its place."""


SPOOL: Final = "spool"
ERROR_TRACKER: Final = "error_tracker"
GRAFANA: Final = "grafana"
ALERTMANAGER: Final = "alertmanager"
PROMETHEUS: Final = "prometheus"
ARCHIVES: Final = "archives"

TREES: Final = (SPOOL, ERROR_TRACKER, GRAFANA, ALERTMANAGER)
"""Stores that are folders and nothing else."""


class Place(Protocol):
    """One stack. Every method raises StackError."""

    @property
    def mode(self) -> str:
        """Native or compose."""

    @property
    def elasticsearch(self) -> tuple[str, tuple[str, str]]:
        """Its address, and user and password of its administrator."""

    @property
    def prometheus(self) -> str:
        """Its address."""

    def has(self, store: str) -> bool:
        """Whether the stack has this store at all: a part that was never started has nothing to save."""

    def must_run(self, store: str) -> None:
        """Raise StackError unless the server answers."""

    def postgres(self, program: str, *arguments: str) -> Command:
        """psql, pg_dump or pg_restore, signed in to the database of the stack."""

    def tree(self, store: str, counts: dict[str, int], below: str = "") -> Iterator[bytes]:
        """A folder, or one `below` it, as a tar stream; `counts` is filled where that is possible."""

    def put_tree(self, store: str) -> AbstractContextManager[Take]:
        """Write a tar stream into a folder."""

    def drop_tree(self, store: str, below: str) -> None:
        """Remove a folder `below` a store's; none is well, too."""

    def count_tree(self, store: str) -> dict[str, int]:
        """What is in a folder now, as `tree` counts; empty where that is not possible."""

    def files(self, store: str) -> list[StoredFile]:
        """The files of a folder; not those of the folders in it."""

    def folders(self, store: str, below: str = "") -> list[str]:
        """The names of the folders in a folder."""

    def file(self, store: str, name: str) -> Iterator[bytes]:
        """The content of a file; `name` may lead through folders."""

    def settings_text(self) -> str:
        """The `.env` of the stack."""

    def occupied(self) -> list[str]:
        """Titles of the stores that have something in them."""

    def make_room(self) -> str:
        """Stop the stack and put what is in it out of the way; says where it went. Empty when there was nothing."""

    def put_settings(self, text: str) -> None:
        """Take over the `.env` of a backup. The stack goes on with its secrets from here on."""

    def start_stores(self) -> None:
        """Have PostgreSQL and Elasticsearch running, and nothing that writes into them."""

    def finished(self) -> None:
        """The restore is complete."""
