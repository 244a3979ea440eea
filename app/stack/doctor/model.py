"""What a check is and what it finds: plain declarations, no behaviour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.stack.mode import Mode
from app.stack.stack import Stack


class Level(StrEnum):
    """How bad a finding is. Only PROBLEM makes `nobet doctor` fail."""

    OK = "ok"
    NOTE = "note"
    """Nothing is broken; something could be better, or is left out here."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what came of it."""

    level: Level
    what: str
    """What was seen, as one sentence without a secret in it."""
    cause: str = ""
    """Why it is so. Always there for a problem."""
    fix: str = ""
    """What to do about it, as a sentence or a command. Always there for a problem."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The stack that is looked at, and how it runs."""

    stack: Stack
    mode: Mode
    """NATIVE or COMPOSE, never AUTO."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table: a name for people, its group, and the look itself.

    `look` returns at least one finding. It may raise StackError: the sentence becomes a problem.
    """

    name: str
    group: str
    look: Callable[[Scene], Sequence[Finding]]
