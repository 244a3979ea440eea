"""The page of the journeys: each of the twenty-nine has a section, and a test that proves it."""

import re
from typing import Final

import pytest

from tests.support.processes import CHECKOUT

PAGE: Final = (CHECKOUT / "docs" / "journeys.md").read_text(encoding="utf-8")
SECTIONS: Final = {f"J-{number}": text for number, text in re.findall(r"^## J-(\d\d) .+\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE)}
JOURNEYS: Final = tuple(f"J-{number:02}" for number in range(1, 30))


def test_every_journey_has_a_section_in_order() -> None:
    """None is forgotten, none is invented."""
    assert tuple(SECTIONS) == JOURNEYS


@pytest.mark.req("DOC-10")
@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_section_says_what_happens_where_to_look_and_what_proves_it(journey: str) -> None:
    """A flow chart in text, and a test file of this journey that is there and marked with its number."""
    text = SECTIONS[journey]
    assert re.match(r"\n`[^`]*→[^`]*`\n", text), "the flow chart comes first"
    named = re.findall(r"`(tests/e2e/journeys/test_j(\d\d)_\w+\.py)`", text)
    own = [path for path, number in named if f"J-{number}" == journey]
    assert own, "the test that proves it is named"
    for path in own:
        assert f'"{journey}"' in (CHECKOUT / path).read_text(encoding="utf-8")


@pytest.mark.req("DEP-08")
def test_both_set_ups_are_offered() -> None:
    """The least that costs nothing, and one for production: for errors, metrics, logs, on call, performance and uptime."""
    page = (CHECKOUT / "docs" / "checklist.md").read_text(encoding="utf-8").partition("## Small and large")[2]
    rows = re.findall(r"^\| ([\w, ]+) \| (.+?) \| (.+) \|$", page, re.MULTILINE)[1:]
    assert {row[0] for row in rows} >= {"errors", "metrics, dashboards", "logs", "on call", "performance", "uptime"}
    assert all(small and large for _, small, large in rows)
    named = " ".join(large for _, _, large in rows)
    assert all(word in named for word in ("Sentry", "PagerDuty", "Opsgenie", "New Relic", "Datadog", "Kibana"))
