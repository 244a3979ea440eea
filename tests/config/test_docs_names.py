"""The documents name only metrics, events and alerts that exist."""

import re
from pathlib import Path

import pytest

from app.core.telemetry import EVENTS, FIELDS, METRICS, SPANS
from app.core.telemetry.tracked import PROPERTIES, TRACKED
from tests.config.files import alerts
from tests.config.test_names import KNOWN
from tests.support.processes import CHECKOUT

PAGES = sorted(path for path in (*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")))
MEASURE = re.compile(r"(?<![\w./-])[a-z]+(?:_[a-z0-9]+)*_(?:total|seconds|bytes|ms|percent|ratio|bucket|sum)\b(?![\w(/]|\.\w)")
"""A word that can only be a metric or a field, by its ending."""

MODULES = {"app"}
"""First parts of event names that are packages of ours, too: `app.core` is no event."""


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_is_emitted(page: Path) -> None:
    """Words in code style that are metrics or fields by their form, or events by their first part, are declared."""
    code = _code(page.read_text(encoding="utf-8"))
    measures = {word for piece in code for word in MEASURE.findall(piece)}
    assert measures <= KNOWN | set(METRICS) | set(FIELDS) | set(PROPERTIES) | {"token_count"}  # what masking must leave alone
    areas = {name.partition(".")[0] for name in EVENTS if "." in name} - MODULES
    calls = {"error_tracking.set_person"}
    dotted = {piece for piece in code if re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+", piece) and piece.partition(".")[0] in areas}
    assert dotted <= set(EVENTS) | set(SPANS) | set(TRACKED) | calls


def test_the_checks_see_a_name_that_nobody_emits() -> None:
    """The forms catch what they must catch."""
    assert MEASURE.findall("sum(rate(invented_things_total[5m])) and file_ms.py") == ["invented_things_total"]
    assert {alert["alert"] for alert in alerts()}
