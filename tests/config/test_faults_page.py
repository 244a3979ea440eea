"""The table of fault cases: every case has a test, and every test that it names is there."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import CHECKOUT

PAGE: Final = (CHECKOUT / "docs" / "faults.md").read_text(encoding="utf-8")
CASES: Final = range(1, 29)
_ROW: Final = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
_NAMED: Final = re.compile(r"`((?:tests|prometheus)/[^`]+)`")

ROWS: Final = {int(number): _NAMED.findall(proof) for number, proof in _ROW.findall(PAGE)}


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_a_proof(case: int) -> None:
    """At least one test stands beside each case of the catalogue."""
    assert ROWS.get(case), f"docs/faults.md names no test for case {case}"


@pytest.mark.parametrize("named", sorted(set(_NAMED.findall(PAGE))))
def test_a_named_test_exists(named: str) -> None:
    """A file, and in it the function; renaming a test means renaming it here."""
    file, _, function = named.partition("::")
    path = CHECKOUT / Path(file)
    assert path.is_file(), file
    assert not function or re.search(rf"^(?:async )?def {function}\(", path.read_text(encoding="utf-8"), re.MULTILINE), named
