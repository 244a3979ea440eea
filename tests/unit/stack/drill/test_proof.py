"""What counts as seen, and what does not."""

import pytest

from app.stack.drill.chain import Seen
from app.stack.drill.model import Expected
from app.stack.drill.proof import PAGERDUTY, Proof

CRITICAL = Expected("RedisDown", "critical")
LABELS = {"alertname": "RedisDown", "severity": "critical", "service": "redis"}
INCIDENT = {"id": "i1", "alertname": "RedisDown", "service": "redis"}


def proof(expected: Expected = CRITICAL, *, with_receivers: bool = True) -> Proof:
    """A proof that has seen nothing yet."""
    return Proof(expected, with_receivers)


def everything() -> Seen:
    """A page that came everywhere."""
    return Seen(
        firing=[LABELS],
        knows=True,
        notified=[(LABELS, False)],
        incidents=[INCIDENT],
        mails=["[FIRING CRITICAL] RedisDown on redis: Redis does not answer."],
        slack=['{"text": "[FIRING] 2 incidents", "blocks": "docs/runbook.md#redisdown"}'],
        pagerduty=['{"event_action": "trigger", "dedup_key": "i1", "payload": {"class": "RedisDown"}}'],
    )


def over() -> Seen:
    """The same page when all is well again."""
    return Seen(
        knows=True,
        remembers=True,
        mails=["[RESOLVED] RedisDown on redis: Redis does not answer."],
        slack=["[RESOLVED] RedisDown on redis"],
        pagerduty=['{"event_action": "resolve", "dedup_key": "i1"}'],
    )


@pytest.mark.req("ALD-12")
def test_a_page_is_proven_when_it_and_its_end_came_everywhere() -> None:
    """Rule, Alertmanager, incident, mail, Slack, PagerDuty; then the same way back."""
    page = proof()
    page.note(everything(), 4.0, ending=False)
    assert page.missing(ending=False) == []
    page.note(over(), 2.0, ending=True)
    assert page.missing(ending=True) == []


@pytest.mark.parametrize("stage", ["firing", "notified", "incidents", "mails", "slack", "pagerduty"])
def test_a_page_lacks_what_was_not_seen(stage: str) -> None:
    """Whichever link of the chain is cut, the alert is not proven."""
    seen = everything()
    setattr(seen, stage, [])
    page = proof()
    page.note(seen, 4.0, ending=False)
    assert len(page.missing(ending=False)) == (2 if stage == "incidents" else 1)  # without an incident no event is known to be its own


def test_the_page_about_another_service_is_not_its_own() -> None:
    """Two services raise the same alert: who answers the second one's page before it was sent must not pass for paged."""
    seen = everything()
    seen.pagerduty = ['{"event_action": "trigger", "dedup_key": "i2", "payload": {"class": "RedisDown"}}']
    page = proof()
    page.note(seen, 4.0, ending=False)
    assert page.missing(ending=False) == [PAGERDUTY]


@pytest.mark.parametrize("stage", ["mails", "slack", "pagerduty"])
def test_an_end_that_nobody_was_told_is_none(stage: str) -> None:
    """The message that it is over belongs to the proof."""
    seen = over()
    setattr(seen, stage, [])
    page = proof()
    page.note(everything(), 4.0, ending=False)
    page.note(seen, 2.0, ending=True)
    assert len(page.missing(ending=True)) == 1


def test_a_name_that_only_contains_it_is_another_alert() -> None:
    """TargetDown is not told by a message about TargetDownForever."""
    assert not proof().told(["[FIRING] RedisDownForever"], "[FIRING")
    assert not proof().told(["[FIRING] OldRedisDown"], "[FIRING")
    assert proof().told(["[FIRING] 2 incidents: ApiDown, RedisDown"], "[FIRING")


def test_silence_of_prometheus_is_no_recovery() -> None:
    """While Prometheus can't be asked, nothing counts as over."""
    page = proof()
    seen = over()
    seen.knows = False
    page.note(seen, 2.0, ending=True)
    assert "not firing" in page.missing(ending=True)


def test_an_alert_that_was_to_be_held_back_must_be_held_back() -> None:
    """One that reaches people although its cause does already is a failure of the inhibition."""
    held = proof(Expected("DependencyDown", "critical", "held", {"dependency": "redis"}))
    labels = {"alertname": "DependencyDown", "severity": "critical", "dependency": "redis"}
    held.note(Seen(firing=[labels], knows=True, notified=[(labels, False)]), 3.0, ending=False)
    assert held.missing(ending=False) == ["held back"]
    held.note(Seen(firing=[labels], knows=True, notified=[(labels, True)]), 4.0, ending=False)
    assert held.missing(ending=False) == []


def test_silence_of_the_on_call_service_closes_nothing() -> None:
    """While it can't be asked, its incidents count as open."""
    page = proof()
    page.note(Seen(knows=True), 1.0, ending=True)
    assert "incident closed" in page.missing(ending=True)
