"""When a certificate is asked for: in time before the old one ends, and after a failure with growing pauses."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from app.stack.acme.shelf import Held, Trouble

_MOST_LEFT: Final = timedelta(days=30)
"""Let's Encrypt's advice for its certificates of 90 days; of shorter ones a third is left."""

_FIRST_PAUSE_SECONDS: Final = 3600.0
"""Let's Encrypt forgives five failed validations of a name in an hour; this stays far below."""

_LONGEST_PAUSE_SECONDS: Final = 24 * 3600.0


def renewal_of(held: Held, names: Collection[str]) -> datetime:
    """When the certificate should be replaced: long ago when it is self-signed or lacks one of the names."""
    if held.self_signed or not frozenset(names) <= held.names:
        return datetime.fromtimestamp(0, UTC)
    return held.ends - min((held.ends - held.begins) / 3, _MOST_LEFT)


def after_failure(before: Trouble, sentence: str, now: float) -> Trouble:
    """What is remembered of one more failure: an hour of pause, doubled each time, at most a day."""
    pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(before.failures, 10), _LONGEST_PAUSE_SECONDS)
    return Trouble(before.target, before.failures + 1, now, now + pause, sentence)
