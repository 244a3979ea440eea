"""Chance and delays."""

import random

from app.voice.knobs import Knobs, KnobsChange, Misbehaviour

CALM = Knobs(latency_seconds=0.1, jitter_seconds=0.05, failure_share=0.25, failure_status=503, failure_code="x", hang_share=0)


def test_delays_stay_between_latency_and_latency_plus_jitter() -> None:
    """Evenly spread over that range."""
    service = Misbehaviour(CALM, random.Random(1))
    delays = [service.delay() for _ in range(1000)]
    assert 0.1 <= min(delays) < 0.105
    assert 0.145 < max(delays) <= 0.15


def test_failures_come_in_their_share() -> None:
    """A quarter of many, none at 0, all at 1."""
    service = Misbehaviour(CALM, random.Random(1))
    assert 200 < sum(service.fails() for _ in range(1000)) < 300
    assert not any(service.hangs() for _ in range(1000))
    service.change(KnobsChange(failure_share=1))
    assert all(service.fails() for _ in range(1000))
