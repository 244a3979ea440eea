"""The traffic generator's own rules. Its traffic is shown in tests/integration/app."""

import pytest

from app.stack import demo
from app.stack.demo_scenarios import SCENARIOS
from app.stack.demo_visitors import Tally
from app.stack.errors import StackError
from app.voice.knobs import KnobsChange


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_playable(name: str) -> None:
    """It has a rate, a mix of known visits, and troubles that the knobs understand."""
    scenario = SCENARIOS[name]
    assert scenario.rate > 0
    assert set(scenario.mix) <= {"feed", "post", "read", "delete", "suggest", "missing", "nonsense", "crash"}
    for trouble in scenario.troubles:
        assert KnobsChange.model_validate(dict(trouble.knobs))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [({"scenario": "party"}, "calm, busy, trouble"), ({"rate": 0}, "rate"), ({"minutes": -1}, "minutes")],
)
def test_what_cannot_be_played_is_refused_with_a_sentence(arguments: dict[str, object], problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(StackError, match=problem):
        demo.run(**arguments)  # type: ignore[arg-type]


def test_the_tally_counts_by_status_class_and_keeps_the_newest_remarkable_id() -> None:
    """Ordinary successes aren't remarkable; failures are, one id for each kind."""
    tally = Tally()
    for kind, event_id, outcome in (("feed", "a", "200"), ("crash", "b", "500"), ("crash", "c", "500"), ("feed", "d", "no answer")):
        tally.add(kind, event_id, outcome, 0.1)
    assert (tally.requests, dict(tally.classes)) == (4, {"2xx": 1, "5xx": 2, "no answer": 1})
    assert tally.remarkable == {"crash, 500": "c", "feed, no answer": "d"}
    assert "4 requests" in tally.line()
    assert "p95 100 ms" in tally.line()


def test_an_empty_tally_has_a_line_too() -> None:
    """Before the first answer."""
    assert "0 requests" in Tally().line()
