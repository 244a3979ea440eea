"""The stores in the order in which they are saved and restored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.stack.backup import indices, place, postgres
from app.stack.backup.place import Place
from app.stack.backup.prometheus import save_prometheus
from app.stack.backup.saver import Saver
from app.stack.backup.trees import save_archives, save_tree

SETTINGS: Final = "settings"
SETTINGS_FILE: Final = ".env"


@dataclass(frozen=True, slots=True)
class Step:
    """One store. `save` returns what was saved, for people."""

    store: str
    title: str
    save: Callable[[Place, Saver], str]
    server: str = ""
    """The component that has to answer meanwhile."""


def _save_settings(stack: Place, saver: Saver) -> str:
    text = stack.settings_text()
    lines = sum(1 for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    saver.save(SETTINGS, SETTINGS_FILE, [text.encode()], {"settings": lines})
    return f"{lines} settings, secrets among them"


def _tree(store: str) -> Callable[[Place, Saver], str]:
    return partial(_save_tree, store)


def _save_tree(store: str, stack: Place, saver: Saver) -> str:
    return save_tree(stack, saver, store)


# The spool goes before Elasticsearch: a record that is shipped in between is in both, and stored once. The other way
# round it would be in neither. PostgreSQL goes after Elasticsearch for no reason; either order is of two moments.
STEPS: Final[tuple[Step, ...]] = (
    Step(SETTINGS, "Settings and secrets", _save_settings),
    Step(place.SPOOL, "Spool", _tree(place.SPOOL)),
    Step(indices.NAME, "Elasticsearch", indices.save_indices, "elasticsearch"),
    Step(postgres.NAME, "PostgreSQL, on-call too", postgres.save_postgres, "postgres"),
    Step(place.ERROR_TRACKER, "Error tracker", _tree(place.ERROR_TRACKER)),
    Step(place.GRAFANA, "Grafana", _tree(place.GRAFANA)),
    Step(place.ALERTMANAGER, "Alertmanager", _tree(place.ALERTMANAGER)),
    Step(place.PROMETHEUS, "Prometheus", save_prometheus, "prometheus"),
    Step(place.ARCHIVES, "Log archives", save_archives),
)


def titles(stores: Iterable[str]) -> dict[str, str]:
    """Store → title, in order."""
    wanted = set(stores)
    return {step.store: step.title for step in STEPS if step.store in wanted}
