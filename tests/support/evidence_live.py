"""Everything that dashboards, rules and the contract promise of a running stack, looked at once while the demo's traffic is on."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from tests.support.grafana import boards
from tests.support.grafana.choices import choices
from tests.support.grafana.sources import Sources, last
from tests.support.grafana.variables import Value
from tests.support.live_contract import Emitted, contract_probes
from tests.support.live_rules import rule_probes
from tests.support.lively import Probe, demo_on, for_a_moment, watch
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

RANGE_SECONDS: Final = 300.0
"""What a person would look at: the last 5 minutes."""

PHONE_PIXELS: Final = 100
"""Narrow panels: a tenth of the work for a busy machine, and the same series."""

PATIENCE_SECONDS: Final = 240.0
"""All data are there after less than a minute on an idle machine."""

Key = tuple[str, str, str]
"""Kind of the promise, where it stands, its name there."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was still missing at the end, by promise; an empty text is a kept one."""

    missing: dict[Key, str]
    since: str
    """When it began, ISO 8601."""


def gather(stack: RunningStack, stores: Stores, app: httpx.Client) -> Evidence:
    """Play the demo until everything that is waited for has been seen."""
    sources = Sources(stack.declared, PHONE_PIXELS)
    since = dt.datetime.now(dt.UTC).isoformat()
    try:
        with demo_on(stack):
            typed = a_story(stores, app)
            probes: dict[Key, Probe] = {}
            waits: dict[Key, bool] = {}
            for key, probe, waited_for in (
                *panel_probes(sources, typed),
                *rule_probes(sources),
                *contract_probes(Emitted(stack, stores)),
            ):
                probes[key], waits[key] = probe, waited_for
            return Evidence(watch(probes, waits, PATIENCE_SECONDS), since)
    finally:
        sources.close()


def a_story(stores: Stores, app: httpx.Client) -> dict[str, str]:
    """The ids of a request through two services, as a person would paste them into text boxes."""
    ident = f"live-{time.time_ns():x}"
    answer = app.post("/suggest", json={"user_id": "7", "topic": "tea"}, headers={"X-Event-ID": ident})
    trace = wait_until("the request's records", lambda: [one["trace_id"] for one in stores.of_request(ident) if one.get("trace_id")], 90)
    assert answer.headers["X-Event-ID"] == ident
    return dict.fromkeys(("id", "event_id", "request_id"), ident) | {"trace_id": trace[0], "trace": trace[0]}


def panel_probes(sources: Sources, typed: Mapping[str, str]) -> list[tuple[Key, Probe, bool]]:
    """A probe for each query of each panel, each annotation and the variables of each dashboard."""
    found: list[tuple[Key, Probe, bool]] = []
    for name in boards.names():
        choose = for_a_moment(partial(_choices, sources, name, dict(typed)))
        found += [
            (("panel", name, query.name), _query_probe(sources, query, choose), not boards.may_be_empty(query))
            for query in boards.queries(name)
        ]
        found += [(("annotation", name, query.name), _query_probe(sources, query, choose), False) for query in boards.annotations(name)]
    return found


Chooser = Callable[[], Mapping[str, Value]]


def _choices(sources: Sources, name: str, typed: dict[str, str]) -> Mapping[str, Value]:
    return choices(sources, name, last(RANGE_SECONDS), typed)


def _query_probe(sources: Sources, query: boards.Query, choose: Chooser) -> Probe:
    def probe() -> str:
        return "" if sources.ask(query, choose(), last(RANGE_SECONDS)) else "no data"

    return probe
