"""What a request left in the stores of a running stack, as journeys ask for it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from app.core.requests import OUTCOME_EVENTS
from tests.support.servers import Postgres
from tests.support.stores import Stores
from tests.support.waiting import wait_until

ARRIVAL_SECONDS: Final = 40
"""SHP-01's 30 s, and some for a machine that does much else."""

ENDS: Final = frozenset(OUTCOME_EVENTS.values())


def fresh(prefix: str) -> str:
    """An id that no earlier run on the same stack has used."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def chain(stores: Stores, ident: str, ends: int = 1, service: str = "app") -> list[dict[str, Any]]:
    """All records of an id, oldest first, once so many of a service's requests under it have ended."""

    def whole() -> list[dict[str, Any]]:
        records = stores.of_request(ident)
        ended = [record for record in records if record.get("event") in ENDS and record["service_name"] == service]
        return records if len(ended) >= ends else []

    return wait_until(f"the end of {ident} in Elasticsearch", whole, ARRIVAL_SECONDS)


def events(records: list[dict[str, Any]], *of: str) -> list[dict[str, Any]]:
    """The records of these events."""
    return [record for record in records if record.get("event") in of]


@contextmanager
def rising(stores: Stores, *expressions: str, by: float = 1) -> Iterator[None]:
    """Each of these Prometheus sums is higher by at least `by`, soon after the block, than it was before it. A missing one counts as 0."""

    def value(expression: str) -> float:
        found = stores.value(expression)
        return 0.0 if found != found else found

    stores.caught_up()
    before = {expression: value(expression) for expression in expressions}
    yield
    for expression, was in before.items():
        check: Callable[[], bool] = lambda expression=expression, was=was: value(expression) >= was + by  # type: ignore[misc]  # noqa: E731
        wait_until(f"{expression} rising by {by:g} from {was:g}", check, ARRIVAL_SECONDS)


@contextmanager
def table_away(postgres: Postgres, table: str) -> Iterator[None]:
    """The table has another name for as long as the block lasts, so that every query of it fails."""
    postgres.ask(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        postgres.ask(f"ALTER TABLE {table}_away RENAME TO {table}")
