"""Which components this machine can run, and from which source."""

from collections.abc import Collection
from dataclasses import dataclass

from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.install import is_installed, unusable
from app.stack.model import Component, Maven, Source
from app.stack.order import with_dependencies
from app.stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Chosen:
    """A component that can run here, with the source that is taken."""

    component: Component
    source: Source


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs, and why the rest does not."""

    chosen: dict[str, Chosen]
    skipped: dict[str, str]


def choose(stack: Stack, names: Collection[str] | None = None, *, strict: bool = True) -> Choice:
    """Take the first usable source of each component.

    Raises StackError, in one sentence for all of them, when required components have none; `strict=False` skips them too.
    """
    wanted = with_dependencies(names if names is not None else COMPONENTS, COMPONENTS)
    if off := [name for name in names or () if name in COMPONENTS and not is_wanted(stack, name)]:
        raise StackError("; ".join(f"{COMPONENTS[name].title} needs {COMPONENTS[name].setting} in .env" for name in off) + ".")
    chosen: dict[str, Chosen] = {}
    skipped: dict[str, str] = {}
    for name in (known for known in COMPONENTS if known in wanted and is_wanted(stack, known)):
        source, reason = _source(COMPONENTS[name], stack)
        if source is not None:
            chosen[name] = Chosen(COMPONENTS[name], source)
        else:
            skipped[name] = reason
    impossible = {
        name: reason for name, reason in skipped.items() if not COMPONENTS[name].optional or (names is not None and name in names)
    }
    if impossible and strict:
        raise StackError("; ".join(f"{COMPONENTS[name].title} can't run here: {reason}" for name, reason in impossible.items()) + ".")
    return Choice(chosen, skipped)


def is_wanted(stack: Stack, name: str) -> bool:
    """Whether a component is part of this stack: some are only where their setting is set."""
    setting = COMPONENTS[name].setting
    return not setting or bool(getattr(stack.settings, setting.lower()))


def is_available(stack: Stack, name: str) -> bool:
    """Whether this machine can run a component."""
    return _source(COMPONENTS[name], stack)[0] is not None


def _source(component: Component, stack: Stack) -> tuple[Source | None, str]:
    reasons = []
    for source in component.sources:
        reason = unusable(source)
        # What is in the cache already needs its builder no more; Java is needed to run, too.
        if not reason or (is_installed(source, component, stack.paths.cache) and not isinstance(source, Maven)):
            return source, ""
        reasons.append(reason)
    return None, reasons[0]
