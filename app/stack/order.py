"""The order in which components start: what they need comes first."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from app.stack.errors import StackError
from app.stack.model import Component


def waves(components: Iterable[Component]) -> list[list[str]]:
    """Groups of names: each group needs only earlier ones. Dependencies outside `components` count as there.

    Raises StackError when components need each other in a circle.
    """
    chosen = {component.name: component for component in components}
    sorter = TopologicalSorter({name: [need for need in component.depends_on if need in chosen] for name, component in chosen.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise StackError(f"Components need each other in a circle: {' → '.join(error.args[1])}. Remove one depends_on.") from None
    result: list[list[str]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        result.append(ready)
        sorter.done(*ready)
    return result


def stop_waves(components: Iterable[Component]) -> list[list[str]]:
    """Groups of names in the order of stopping: whoever is needed, or is to outlive others, goes later."""
    chosen = list(components)
    held = {component.name: [other.name for other in chosen if component.name in other.outlives] for component in chosen}
    return waves(replace(component, depends_on=(*component.depends_on, *held[component.name])) for component in chosen)[::-1]


def with_dependencies(names: Iterable[str], table: Mapping[str, Component]) -> list[str]:
    """`names` and everything that they need, in starting order. Raises StackError for an unknown name."""
    wanted: dict[str, Component] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in table:
            raise StackError(f"There is no component {name!r}; there are: {', '.join(sorted(table))}.")
        if name not in wanted:
            wanted[name] = table[name]
            todo.extend(table[name].depends_on)
    return [name for wave in waves(wanted.values()) for name in wave]
