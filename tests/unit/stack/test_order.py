"""The order of starting."""

import pytest

from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.model import Component, Own, Tcp
from app.stack.order import stop_waves, waves, with_dependencies


def _component(name: str, *needs: str) -> Component:
    return Component(name, name, (Own("app"),), (), ("app",), Tcp("app"), depends_on=needs)


def test_what_is_needed_starts_in_an_earlier_wave() -> None:
    """A component never shares a wave with what it needs, and independent ones start together."""
    order = waves([_component("c", "b"), _component("b", "a"), _component("a"), _component("d")])
    assert order == [["a", "d"], ["b"], ["c"]]


def test_a_circle_is_named() -> None:
    """Components that need each other end in a sentence with their names, not in an endless wait."""
    with pytest.raises(StackError, match=r"circle: .*a.*→.*b"):
        waves([_component("a", "b"), _component("b", "a")])


def test_the_table_has_no_circle() -> None:
    """The real table can be started: everything comes after what it needs."""
    position = {name: number for number, wave in enumerate(waves(COMPONENTS.values())) for name in wave}
    assert position.keys() == COMPONENTS.keys()
    for component in COMPONENTS.values():
        assert all(position[need] < position[component.name] for need in component.depends_on)


def test_the_shipper_stops_after_those_whose_records_it_ships() -> None:
    """Its drain at the end finds the last words of the app and the voice service; Elasticsearch goes after it."""
    position = {name: number for number, wave in enumerate(stop_waves(COMPONENTS.values())) for name in wave}
    assert position["app"] < position["shipper"] < position["elasticsearch"]
    assert position["voice"] < position["shipper"]


def test_asking_for_one_brings_what_it_needs() -> None:
    """Starting the app alone starts its stores and neighbours too, and nothing else."""
    assert set(with_dependencies(["app"], COMPONENTS)) == {"app", "postgres", "redis", "voice"}


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typing error is answered with the names to choose from."""
    with pytest.raises(StackError, match=r"no component 'postgre'; there are: .*postgres"):
        with_dependencies(["postgre"], COMPONENTS)
