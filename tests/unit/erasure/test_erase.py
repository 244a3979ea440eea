"""Erasing a user, with stand-ins for the stores. Over real ones it is in tests/integration/analytics."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.clients.user_documents import DocumentsError, Kind
from app.core.config import Settings
from app.erasure import erase
from app.erasure.__main__ import main
from app.erasure.erase import MOST_ROUNDS, UserEraser
from tests.support.records import logging_to, spooled
from tests.support.tracked import KEY

pytestmark = pytest.mark.req("PRV-13")


class Stores:
    """What is left in each store, and what arrives in each round."""

    def __init__(self) -> None:
        self.left = {"log records": 5, "tracked events": 3, "dead letters": 1, "rows": 3}
        self.arriving: list[int] = []
        self.broken = ""
        self.stubborn = False
        self.deletions = 0

    def count(self, name: str) -> int:
        """How many there are."""
        if name == self.broken:
            raise DocumentsError(f"{name} can't be asked.")
        return self.left[name]

    def delete(self, name: str) -> int:
        """Delete them all; then some more may arrive."""
        if name == self.broken:
            raise DocumentsError(f"{name} can't be asked.")
        if self.stubborn:
            return 0
        self.deletions += 1
        gone, self.left[name] = self.left[name], 0
        if name == "log records" and self.arriving:
            self.left[name] = self.arriving.pop(0)
        return gone


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Stores:
    """Stand-ins for Elasticsearch and the database."""
    made = Stores()

    class Documents:
        def __init__(self, *_: Any) -> None:
            self.kinds = tuple(Kind(name, "", {}) for name in ("log records", "tracked events", "dead letters"))

        def count(self, kind: Kind) -> int:
            return made.count(kind.name)

        def delete(self, kind: Kind, progress: Callable[[int], None]) -> int:
            gone = made.delete(kind.name)
            progress(gone)
            return gone

        def close(self) -> None: ...

    class Rows:
        def __init__(self, *_: Any) -> None: ...

        def count(self) -> int:
            return made.count("rows")

        def delete(self) -> int:
            return made.delete("rows")

    monkeypatch.setattr(erase, "UserDocuments", Documents)
    monkeypatch.setattr(erase, "UserRows", Rows)
    monkeypatch.setattr(erase, "SHIPPING_SECONDS", 0.0)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Logging into a spool; no waiting between rounds."""
    with logging_to(tmp_path, analytics_key=KEY, analytics_flush_seconds=0.001) as settings:
        yield settings


def _audit(folder: Path) -> list[dict[str, Any]]:
    return [record for record in spooled(folder) if record.get("event") == "user.erased"]


def test_a_look_deletes_nothing(stores: Stores, settings: Settings, tmp_path: Path) -> None:
    """Counts by store, and no audit record."""
    found = UserEraser(settings, "7", lambda _: None).look()
    assert sum(found.found.values()) == 12
    assert (stores.deletions, _audit(tmp_path)) == (0, [])


def test_what_arrives_meanwhile_is_erased_too(stores: Stores, settings: Settings, tmp_path: Path) -> None:
    """Rounds go on until a look finds nothing; the record has the sum and the pseudonym, not the id."""
    stores.arriving = [2, 4]
    result = UserEraser(settings, "user-7", lambda _: None).erase()
    assert result.complete
    assert sum(result.erased.values()) == 12 + 6
    (record,) = _audit(tmp_path)
    assert (record["level"], record["count"], record["outcome"]) == ("INFO", 18, "success")
    assert "user-7" not in str(record)


def test_a_user_who_goes_on_leaves_something(stores: Stores, settings: Settings, tmp_path: Path) -> None:
    """After MOST_ROUNDS it ends and says that it is not complete."""
    stores.arriving = [1] * 100
    result = UserEraser(settings, "7", lambda _: None).erase()
    assert not result.complete
    assert len(stores.arriving) == 100 - MOST_ROUNDS
    assert [(record["level"], record["outcome"], record["extra"]["left"]) for record in _audit(tmp_path)] == [("WARNING", "failure", 1)]


def test_one_store_that_is_away_does_not_save_the_others(stores: Stores, settings: Settings) -> None:
    """Everything else goes; the problem is told once."""
    stores.broken = "tracked events"
    result = UserEraser(settings, "7", lambda _: None).erase()
    assert not result.complete
    assert result.problems == ["tracked events can't be asked."]
    assert [count for name, count in stores.left.items() if name != "tracked events"] == [0, 0, 0]


@pytest.mark.parametrize(("stubborn", "code"), [(False, 0), (True, 1)])
def test_the_exit_code_says_whether_something_stayed(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stubborn: bool, code: int
) -> None:
    """0 when nothing is left, 1 with a sentence when something is; the counts are on standard output."""
    stores.stubborn = stubborn
    for name, value in {
        "SPOOL_DIR": str(tmp_path),
        "ANALYTICS_KEY": KEY,
        "ANALYTICS_FLUSH_SECONDS": "0.001",
        "ENVIRONMENT": "test",
    }.items():
        monkeypatch.setenv(name, value)
    assert main(["--", "7"]) == code
    shown = capsys.readouterr()
    assert "tracked events in PostgreSQL" in shown.out
    assert ("Not everything is gone" in shown.err) == stubborn


def test_without_a_key_tracked_events_are_left_out(stores: Stores, tmp_path: Path) -> None:
    """They have no reference to users then."""
    with logging_to(tmp_path, analytics_key="", analytics_flush_seconds=0.001) as settings:
        eraser = UserEraser(settings, "7", lambda _: None)
        assert not eraser.has_keys
        assert set(eraser.look().found) == {"log records in Elasticsearch", "dead letters in Elasticsearch"}
