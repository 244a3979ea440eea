"""The state machine of an incident.

    firing ──notify──▶ notified ──acknowledge──▶ acknowledged ──resolve──▶ resolved
      │                    │                          │                        │
      └──── acknowledge, resolve from any open state ─┴── release ▶ firing     └── reopen ▶ firing

`firing` means that nobody has been told yet in this episode.
"""

from typing import Final, Literal

State = Literal["firing", "notified", "acknowledged", "resolved"]
Action = Literal["notify", "acknowledge", "release", "worsen", "resolve", "reopen"]

OPEN: Final[frozenset[str]] = frozenset({"firing", "notified", "acknowledged"})

SEVERITIES: Final = ("none", "info", "warning", "critical")
"""From harmless to page."""

_MOVES: Final[dict[tuple[str, Action], State]] = {
    ("firing", "notify"): "notified",
    ("notified", "notify"): "notified",
    ("acknowledged", "notify"): "acknowledged",
    ("firing", "acknowledge"): "acknowledged",
    ("notified", "acknowledge"): "acknowledged",
    ("acknowledged", "acknowledge"): "acknowledged",
    ("firing", "release"): "firing",
    ("notified", "release"): "firing",
    ("acknowledged", "release"): "firing",
    ("firing", "worsen"): "firing",
    ("notified", "worsen"): "firing",
    ("acknowledged", "worsen"): "firing",
    ("firing", "resolve"): "resolved",
    ("notified", "resolve"): "resolved",
    ("acknowledged", "resolve"): "resolved",
    ("resolved", "resolve"): "resolved",
    ("resolved", "reopen"): "firing",
}


class NotPossibleError(Exception):
    """The incident is not in a state in which this can be done; the text says so to people."""


def move(state: str, action: Action) -> State:
    """The state after an action. Raises NotPossibleError."""
    try:
        return _MOVES[(state, action)]
    except KeyError:
        raise NotPossibleError(
            f"This incident is {state}; it can't be {action}d any more." if state == "resolved" else f"It is {state}."
        ) from None


def is_worse(severity: str, than: str) -> bool:
    """Whether a severity asks for more than another. Unknown ones count as warning, so that nothing unknown is lost."""
    return _rank(severity) > _rank(than)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else SEVERITIES.index("warning")
