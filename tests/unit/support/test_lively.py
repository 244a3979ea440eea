"""Waiting for many things at once ends when they are there, and says what was not."""

import pytest

from tests.support import lively
from tests.support.lively import REFUSED, watch


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lively, "PAUSE_SECONDS", 0.01)


def test_it_asks_again_until_the_last_one_is_there() -> None:
    """A probe that is content is not asked again; the others are."""
    left = {"late": 3, "soon": 0}

    def probe(name: str) -> str:
        left[name] -= 1
        return "" if left[name] < 0 else "no data"

    assert watch({name: lambda name=name: probe(name) for name in left}, dict.fromkeys(left, True), 30) == {"late": "", "soon": ""}  # type: ignore[misc]
    assert left == {"late": -1, "soon": -1}


def test_what_may_be_missing_is_asked_and_not_waited_for() -> None:
    """It is told, and the end comes at once."""
    asked = 0

    def probe() -> str:
        nonlocal asked
        asked += 1
        return "no data"

    assert watch({"rare": probe}, {"rare": False}, 3600) == {"rare": "no data"}
    assert asked == 1


def test_a_refusal_is_told_as_one() -> None:
    """An error of the server is no empty answer."""

    def probe() -> str:
        raise AssertionError("parse error")

    assert watch({"broken": probe}, {"broken": True}, 0)["broken"] == f"{REFUSED}AssertionError: parse error"
