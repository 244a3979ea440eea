"""Chance, delays, and how knobs are turned."""

import random
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.config import load_settings
from app.voice.knobs import Knobs
from app.voice.misbehaviour import Misbehaviour


def _knobs(**settings: Any) -> Knobs:
    return Knobs.from_settings(load_settings(_env_file=None, **settings))


CALM = _knobs(voice_latency_seconds=0.1, voice_jitter_seconds=0.05, voice_failure_share=0.25)


def test_delays_stay_between_latency_and_latency_plus_jitter() -> None:
    """Evenly spread over that range."""
    service = Misbehaviour(CALM, random.Random(1))
    delays = [service.delay("suggest") for _ in range(1000)]
    assert 0.1 <= min(delays) < 0.105
    assert 0.145 < max(delays) <= 0.15


def test_failures_come_in_their_share() -> None:
    """A quarter of many, none at 0, all at 1."""
    service = Misbehaviour(CALM, random.Random(1))
    assert 200 < sum(service.fails("suggest") for _ in range(1000)) < 300
    assert not any(service.hangs("suggest") for _ in range(1000))
    service.knobs = service.knobs.changed({"failure_share": 1})
    assert all(service.fails("suggest") for _ in range(1000))


@pytest.mark.req("CFG-02")
@pytest.mark.parametrize("part", ["asr", "llm", "tts", "task"])
def test_each_stage_has_settings_of_its_own(part: Any) -> None:
    """Latency, jitter, failures and hangs of one stage come from its settings and leave the others alone."""
    asked = {"latency_seconds": 0.5, "jitter_seconds": 0.25, "failure_share": 0.125, "hang_share": 0.0625}
    knobs = _knobs(**{f"voice_{part}_{name}": value for name, value in asked.items()})
    assert knobs.of(part).model_dump(include=set(asked)) == asked
    before = _knobs().model_dump()
    assert knobs.model_dump() == before | {"stages": before["stages"] | {part: before["stages"][part] | asked}}


def test_a_stage_is_turned_alone() -> None:
    """A change at any depth leaves what it does not name."""
    turned = CALM.changed({"stages": {"llm": {"latency_seconds": 1.5}}})
    assert turned.stages.llm.latency_seconds == 1.5
    assert turned.changed({"stages": {"llm": {"latency_seconds": CALM.stages.llm.latency_seconds}}}) == CALM


@pytest.mark.parametrize(
    "change",
    [
        {"stages": {"llm": {"latency_seconds": 61}}},
        {"stages": {"llm": {"speed": 1}}},
        {"stages": {"asr": {"token_seconds": 0}}},
        {"stages": {"ears": {}}},
        {"stages": 5},
        {"stages": {"tts": None}},
        {"failure_share": "often"},
    ],
)
def test_what_no_knob_can_do_is_refused(change: dict[str, Any]) -> None:
    """Values out of range, unknown knobs and unknown stages."""
    with pytest.raises(ValidationError):
        CALM.changed(change)
