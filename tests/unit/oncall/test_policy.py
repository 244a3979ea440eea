"""A policy that loads works; one that does not says where and what to do. And who has the duty."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.oncall.policy import PolicyError, QuietHours, Rota, default_policy, load_policy, parse_policy, seconds_of
from app.oncall.rota import on_duty, quiet_until, targets
from tests.support.processes import CHECKOUT
from tests.unit.oncall.conftest import POLICY

ISTANBUL = ZoneInfo("Europe/Istanbul")
BERLIN = ZoneInfo("Europe/Berlin")


def test_the_example_loads() -> None:
    """What people copy works as it is."""
    policy = load_policy(CHECKOUT / "docs" / "examples" / "oncall-policy.yml")
    assert set(policy.rotas) == {"primary", "secondary"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"escalations": {}}, "escalations"),
        ({"routes": [{"match": {"severity": "critical"}, "escalation": "page"}]}, "last route"),
        ({"routes": [{"escalation": "nobody"}]}, "'nobody'"),
        ({"people": {"x": {"name": "X", "contacts": ["fax:123"]}}}, "fax:123"),
        ({"people": {"x": {"name": "X", "contacts": []}}}, "people.x.contacts"),
        ({"rotas": {"r": {"people": ["ghost"], "start": "2026-01-05T09:00:00"}}}, "ghost"),
        ({"rotas": {"r": {"people": ["can"], "start": "2026-01-05T09:00:00", "timezone": "Europe/Atlantis"}}}, "Atlantis"),
        ({"escalations": {"page": {"levels": [{"notify": ["rota:none"]}]}, "ticket": {"levels": [{"notify": ["slack:"]}]}}}, "rota:none"),
        (
            {"escalations": {"page": {"levels": [{"notify": ["slack:"], "wait": "soon"}]}, "ticket": {"levels": [{"notify": ["slack:"]}]}}},
            "soon",
        ),
        ({"quiet_hours": [{"severities": ["warning"], "start": "25:00", "end": "8:00"}]}, "25:00"),
        ({"surprise": 1}, "surprise"),
        ({"maintenance": [{"reason": "x", "match": {}, "days": ["sat"], "start": "02:00", "end": "04:00"}]}, "maintenance.0.match"),
        ({"maintenance": [{"reason": "x", "match": {"service": "app"}, "days": ["sat"], "start": "02:00"}]}, "days, start and end"),
        ({"maintenance": [{"reason": "x", "match": {"instance": "a"}, "days": ["sat"], "start": "02:00", "end": "04:00"}]}, "instance"),
        ({"maintenance": [{"match": {"service": "app"}, "days": ["someday"], "start": "02:00", "end": "04:00"}]}, "maintenance.0.days.0"),
        (
            {
                "maintenance": [
                    {"reason": "x", "match": {"env": "e"}, "once_from": "2026-01-01T00:00:00", "once_until": "2026-02-01T00:00:00"}
                ]
            },
            "a week at most",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(change: dict[str, Any], said: str) -> None:
    """Every mistake names itself."""
    with pytest.raises(PolicyError, match="can't be used") as caught:
        parse_policy({**POLICY, **change}, "policy.yml")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "{", "people: [", "\x00"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    """Empty, a list, broken YAML: one error, no traceback."""
    path = tmp_path / "policy.yml"
    path.write_text(text)
    with pytest.raises(PolicyError):
        load_policy(path)


def test_a_missing_policy_says_what_to_set(tmp_path: Path) -> None:
    """The file is not there."""
    with pytest.raises(PolicyError, match="ONCALL_POLICY"):
        load_policy(tmp_path / "none.yml")


def test_without_a_policy_pages_go_to_the_alert_address() -> None:
    """Critical pages again after 15 minutes; with Slack set, it hears too."""
    policy = default_policy("oncall@example.com", with_slack=True)
    first = policy.escalations["page"].levels[0]
    assert [target.contact for target in targets(policy, first, 0.0)] == ["email:oncall@example.com", "slack:"]
    assert first.wait == 900


def rota(**more: Any) -> Rota:
    """A weekly rota that begins on a Monday at nine in Berlin."""
    return Rota.model_validate({"people": ["a", "b"], "start": datetime(2026, 1, 5, 9, 0), "timezone": "Europe/Berlin", **more})  # noqa: DTZ001


def at(*parts: int) -> float:
    """A moment by Berlin's clock."""
    return datetime(*parts, tzinfo=BERLIN).timestamp()  # type: ignore[misc,arg-type]


def test_people_take_turns_and_hand_over_at_the_same_hour_all_year() -> None:
    """Before and after the change to summer time the hand-over is at nine by the clock on the wall."""
    assert on_duty(rota(), at(2026, 1, 5, 8, 59)).person == "a"
    assert on_duty(rota(), at(2026, 1, 12, 8, 59)).person == "a"
    assert on_duty(rota(), at(2026, 1, 12, 9, 0)).person == "b"
    # Monday, 30 March 2026 is in summer time: week 12 of the rota
    assert on_duty(rota(), at(2026, 3, 30, 8, 59)).person == "b"
    assert on_duty(rota(), at(2026, 3, 30, 9, 0)).person == "a"
    assert on_duty(rota(), at(2026, 3, 25, 12, 0)).until == at(2026, 3, 30, 9, 0)


def test_an_override_takes_over_for_its_time_only() -> None:
    """From its start to its end; the end of the turn before it is its start."""
    with_override = rota(overrides=[{"person": "b", "start": datetime(2026, 1, 6, 12, 0), "end": datetime(2026, 1, 6, 18, 0)}])  # noqa: DTZ001
    assert on_duty(with_override, at(2026, 1, 6, 11, 0)).until == at(2026, 1, 6, 12, 0)
    assert on_duty(with_override, at(2026, 1, 6, 12, 0)).person == "b"
    assert on_duty(with_override, at(2026, 1, 6, 18, 0)).person == "a"


@given(st.floats(min_value=1_767_000_000, max_value=1_830_000_000))
def test_somebody_always_has_the_duty_until_a_moment_ahead(moment: float) -> None:
    """At any second, in winter and summer."""
    duty = on_duty(rota(), moment)
    assert duty.person in ("a", "b")
    assert duty.until > moment


@pytest.mark.parametrize(
    ("hour", "minute", "ends"), [(21, 59, None), (22, 0, (23, 8)), (23, 59, (23, 8)), (0, 0, (22, 8)), (7, 59, (22, 8)), (8, 0, None)]
)
def test_quiet_hours_go_over_midnight(hour: int, minute: int, ends: tuple[int, int] | None) -> None:
    """From 22:00 to 08:00 by the clock of Istanbul; the end is the next eight o'clock."""
    hours = QuietHours.model_validate({"severities": ["warning"], "start": "22:00", "end": "08:00", "timezone": "Europe/Istanbul"})
    policy = parse_policy({**POLICY, "quiet_hours": [hours.model_dump() | {"start": "22:00", "end": "08:00"}]}, "test")
    now = datetime(2026, 11, 22, hour, minute, tzinfo=ISTANBUL).timestamp()
    expected = datetime(2026, 11, ends[0], ends[1], tzinfo=ISTANBUL).timestamp() if ends else None
    assert quiet_until(policy, "warning", now) == expected
    assert quiet_until(policy, "critical", now) is None


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("4h", 14400), ("1d", 86400), ("1w", 604800)])
def test_durations(text: str, seconds: float) -> None:
    """The units that people write."""
    assert seconds_of(text) == seconds
