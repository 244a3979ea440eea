"""Erases a user: every store in turn, again until nothing more arrives, and an audit record that doesn't name the user."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from app.clients.user_documents import DocumentsError, UserDocuments
from app.clients.user_rows import RowsError, UserRows
from app.core import context
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.pseudonyms import Pseudonyms

MOST_ROUNDS: Final = 5
"""A user who is still active keeps producing records; their account has to be closed first."""

SHIPPING_SECONDS: Final = 3.0
"""From the spool to Elasticsearch, when nothing is in the way."""

log = get_logger(__name__)

Say = Callable[[str], None]


@dataclass(slots=True)
class Erasure:
    """What was found, what went and what stayed, by store; and what could not be done."""

    found: dict[str, int] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Nothing stayed, as far as every store could be asked."""
        return not self.problems and not any(self.left.values())


@dataclass(frozen=True, slots=True)
class _Place:
    """One store of one kind of data."""

    name: str
    count: Callable[[], int]
    delete: Callable[[], int]


class UserEraser:
    """The data of one user in every store."""

    def __init__(self, settings: Settings, user_id: str, say: Say) -> None:
        pseudonyms = Pseudonyms(settings)
        refs = [pseudonym.user_ref for pseudonym in pseudonyms.all_of(user_id)]
        current = pseudonyms.of(user_id)
        self.has_keys: Final = bool(refs)
        self._audit_ref = current.user_ref if current else refs[0] if refs else None
        self._say = say
        self._settle_seconds = settings.analytics_flush_seconds + SHIPPING_SECONDS
        self._documents = UserDocuments(settings, user_id, refs)
        rows = UserRows(settings, refs)
        self._places = [_Place("tracked events in PostgreSQL", rows.count, rows.delete)] if refs else []
        for kind in self._documents.kinds:
            if kind.name != "tracked events" or refs:
                self._places.append(_Place(f"{kind.name} in Elasticsearch", self._counter(kind.name), self._deleter(kind.name)))

    def look(self) -> Erasure:
        """Only count."""
        result = Erasure()
        self._each(result, lambda place: result.found.__setitem__(place.name, place.count()))
        return result

    def erase(self) -> Erasure:
        """Delete in rounds until a look after a pause finds nothing, and write down that it was done."""
        result = self.look()
        for _ in range(MOST_ROUNDS):
            result.problems.clear()
            self._each(result, lambda place: self._erase_one(result, place))
            self._say(f"Waiting {self._settle_seconds:g} s for what is still on its way")
            time.sleep(self._settle_seconds)
            self._each(result, lambda place: result.left.__setitem__(place.name, place.count()))
            if result.problems or not any(result.left.values()):
                break
        self._write_down(result)
        return result

    def close(self) -> None:
        """Close the connections."""
        self._documents.close()

    def _erase_one(self, result: Erasure, place: _Place) -> None:
        self._say(f"Erasing {place.name}")
        result.erased[place.name] = result.erased.get(place.name, 0) + place.delete()

    def _each(self, result: Erasure, work: Callable[[_Place], None]) -> None:
        """Do it for every store; one that can't be asked doesn't save the others."""
        for place in self._places:
            try:
                work(place)
            except (DocumentsError, RowsError) as error:
                if str(error) not in result.problems:
                    result.problems.append(str(error))

    def _counter(self, name: str) -> Callable[[], int]:
        kind = next(kind for kind in self._documents.kinds if kind.name == name)
        return lambda: self._documents.count(kind)

    def _deleter(self, name: str) -> Callable[[], int]:
        kind = next(kind for kind in self._documents.kinds if kind.name == name)
        return lambda: self._documents.delete(kind, lambda gone: self._say(f"Erasing {name} in Elasticsearch: {gone}"))

    def _write_down(self, result: Erasure) -> None:
        fields: dict[str, Any] = {"count": sum(result.erased.values()), "left": sum(result.left.values()), "user_ref": self._audit_ref}
        with context.run("erasure"):
            if result.complete:
                log.info("A user's data was erased", event="user.erased", outcome="success", **fields)
            else:
                log.warning("A user's data could not be erased completely", event="user.erased", outcome="failure", **fields)
