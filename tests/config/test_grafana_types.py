"""The committed dashboards are what Grafana's published types allow."""

from pathlib import Path

import pytest

from tests.config.files import DASHBOARDS
from tests.support.board_types import faults

BOARDS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DASHBOARDS.glob("*.json"))}


@pytest.mark.req("DSH-09")
def test_every_dashboard_has_the_types_of_grafana(tmp_path: Path) -> None:
    """The TypeScript compiler takes each as a Dashboard of the Grafana version that we pin."""
    assert faults(BOARDS, tmp_path) == []


def test_a_word_that_grafana_does_not_know_is_found(tmp_path: Path) -> None:
    """The compiler refuses a wrong value of an enum, so its silence proves something."""
    wrong = BOARDS["api-performance"].replace('"mode": "absolute"', '"mode": "approximate"', 1)
    assert wrong != BOARDS["api-performance"]
    assert any("approximate" in said for said in faults({"wrong": wrong}, tmp_path))
