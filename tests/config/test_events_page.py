"""docs/events.md keeps up with the declared events."""

import re

import pytest

from app.core.telemetry.tracked import TRACKED
from tests.support.processes import CHECKOUT

PAGE = (CHECKOUT / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.mark.req("ANA-12", "C-37")
def test_the_page_lists_every_tracked_event_and_the_log_event_about_the_same() -> None:
    """No event is missing, none is invented, and linked log events stand in the same row."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    first = {name: row for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert set(TRACKED) <= set(first)
    for tracked in TRACKED.values():
        if tracked.log_event:
            assert f"`{tracked.log_event}`" in first[tracked.name].split("|")[2]
