"""No rule without a fault that provokes it."""

import pytest

from app.stack.drill.catalogue import DRILLS, UNPROVABLE
from app.stack.drill.model import Rule
from app.stack.drill.pace import read_rules
from app.stack.drill.run import rounds
from app.stack.paths import CHECKOUT

EXPECTED = [expected for drill in DRILLS for expected in drill.proves]
RULES = read_rules(CHECKOUT / "prometheus" / "rules")


def has_drill(rule: Rule) -> bool:
    """Whether a drill means to prove it."""
    return any(rule.is_proven_by(expected) for expected in EXPECTED)


@pytest.mark.req("ALR-16")
def test_every_rule_has_a_drill_or_a_stated_reason() -> None:
    """Who adds a rule adds the fault that proves it, or says why there is none."""
    assert [rule.title for rule in RULES if not has_drill(rule) and rule.alert not in UNPROVABLE] == []


def test_nine_rules_of_ten_are_drilled() -> None:
    """Reasons are for exceptions."""
    assert sum(has_drill(rule) for rule in RULES) >= 0.9 * len(RULES)


def test_drills_prove_rules_that_exist() -> None:
    """A rule that was renamed or got another severity takes its drill along."""
    assert [expected.alert for expected in EXPECTED if not any(rule.is_proven_by(expected) for rule in RULES)] == []
    assert [alert for alert in UNPROVABLE if alert not in {rule.alert for rule in RULES}] == []


def test_what_fits_several_rules_names_the_severity() -> None:
    """Proving the warning proves nothing about the page of the same name."""
    several = {rule.alert for rule in RULES if len({other.severity for other in RULES if other.alert == rule.alert}) > 1}
    assert [expected for expected in EXPECTED if expected.alert in several and not expected.severity] == []


def test_every_fault_has_a_name_and_says_what_it_does() -> None:
    """Names are unique; the report quotes the words."""
    assert len({drill.name for drill in DRILLS}) == len(DRILLS)
    assert all(len(drill.how) > 10 and not drill.how.endswith(".") for drill in DRILLS)


def test_drills_that_run_at_once_agree_about_time() -> None:
    """One set of rules is loaded for all of them."""
    assert all(len({drill.scale for drill in batch}) == 1 for batch in rounds(DRILLS))


def test_faults_that_run_at_once_prove_different_alerts() -> None:
    """Else the one would hide that the other does nothing."""
    for batch in rounds(DRILLS):
        proven = [(proved.alert, proved.severity, tuple(proved.labels.items())) for drill in batch for proved in drill.proves]
        assert len(proven) == len(set(proven))
