"""No rule is blind: every rule that the live Prometheus has loaded is evaluated, reads series that exist, and compares something."""

import pytest

from tests.config.files import rules_of
from tests.support.evidence_live import Evidence
from tests.support.live_rules import declared_empty
from tests.support.lively import REFUSED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

RULES = sorted({str(rule.get("alert") or rule["record"]) for rule in rules_of()})


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reads_and_compares_what_is_there(live: Evidence, rule: str) -> None:
    """It is loaded and evaluated without an error; its series and the two sides of its comparisons have data, unless declared."""
    told = {key: said for key, said in live.missing.items() if key[0] in {"health", "series", "value"} and key[1] == rule}
    assert told, "Prometheus has not loaded it"
    faults = [said for (kind, _, what), said in told.items() if said and (REFUSED in said or not _excused(kind, rule, what))]
    assert not faults


def _excused(kind: str, rule: str, what: str) -> bool:
    declared = declared_empty()
    return rule in declared["rules"] if kind == "value" else kind == "series" and what.partition("{")[0] in declared["series"]


def test_what_may_be_missing_is_read_by_a_rule() -> None:
    """Nothing stays declared when no rule reads it any more, and each has a reason."""
    declared = declared_empty()
    expressions = " ".join(rule["expr"] for rule in rules_of())
    assert all(name in expressions for name in declared["series"])
    assert set(declared["rules"]) <= set(RULES)
    assert all(len(reason.split()) > 3 for kind in declared.values() for reason in kind.values())
