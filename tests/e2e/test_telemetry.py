"""The telemetry contract against the live stores: nothing undeclared, and nothing declared that never comes."""

import json
from collections import Counter

import pytest

from app.core.telemetry import EVENTS, FIELDS, METRICS, SPANS
from app.core.telemetry.seldom import CAUSES, SELDOM
from app.core.telemetry.template import dead_letter_template, events_template, index_template
from app.core.telemetry.tracked import PROPERTIES, TRACKED
from tests.support.evidence_live import Evidence
from tests.support.live_contract import OWN_SERVICES, Emitted
from tests.support.stack import RunningStack
from tests.support.stores import Stores

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ALWAYS_PRESENT = {name for name, field in FIELDS.items() if field.always}


@pytest.fixture(scope="module")
def emitted(world: RunningStack, stores: Stores) -> Emitted:
    """What the stores hold."""
    return Emitted(world, stores)


@pytest.mark.req("CFG-01")
@pytest.mark.parametrize("kind", ["metrics", "events", "fields", "tracked", "spans"])
def test_what_is_declared_is_emitted(live: Evidence, kind: str) -> None:
    """With visitors, every declared name has been seen, unless it is declared to come seldom."""
    assert live.missing["emitted", kind, ""] == ""


@pytest.mark.parametrize("service", OWN_SERVICES)
@pytest.mark.usefixtures("live")
def test_a_service_exposes_only_declared_metrics(emitted: Emitted, service: str) -> None:
    """Every family of /metrics is declared for the service, with its type and exactly its labels."""
    for name, (kind, label_sets) in emitted.families(service).items():
        assert name in METRICS, f"{name} is undeclared"
        metric = METRICS[name]
        assert (kind, service in metric.services) == (metric.type, True), name
        assert all(labels == set(metric.labels) for labels in label_sets), (name, label_sets)


def test_records_have_only_declared_names(live: Evidence, stores: Stores, emitted: Emitted) -> None:
    """Top-level keys of stored records are declared fields, each record has those that are promised, and events are declared."""
    records = stores.logs({"range": {"timestamp": {"gte": live.since}}}, "logs-*")
    keys = Counter(key for record in records for key in record)
    assert set(keys) - {"_id", "_index"} <= set(FIELDS)
    assert {name for name in ALWAYS_PRESENT if keys[name] != len(records)} == set()
    assert emitted.events(live.since) <= set(EVENTS)


def test_tracked_events_have_only_declared_names(live: Evidence, stores: Stores, emitted: Emitted) -> None:
    """Types and properties of stored events are declared ones."""
    events = stores.logs({"range": {"timestamp": {"gte": live.since}}}, "events-*")
    assert events
    assert emitted.tracked(live.since) <= set(TRACKED)
    assert {name for event in events for name in event.get("properties") or {}} <= set(PROPERTIES)


@pytest.mark.usefixtures("live")
def test_live_mappings_are_the_declared_ones(world: RunningStack, stores: Stores) -> None:
    """Elasticsearch types each field as the contract says, in every index of the day."""
    prefix = world.declared.settings.log_index_prefix
    templates = {
        f"{prefix}-*": index_template(prefix),
        "events-*": events_template("events"),
        "dead-*": dead_letter_template("dead"),
    }
    for pattern, template in templates.items():
        said = json.dumps(template["template"]["mappings"]["properties"]).replace('"dynamic": false', '"dynamic": "false"')
        for index, mappings in stores.mappings(pattern).items():
            assert mappings["properties"] == json.loads(said), index


@pytest.mark.usefixtures("live")
def test_traces_have_only_declared_spans(emitted: Emitted) -> None:
    """Every operation that Jaeger knows is a declared span or METHOD /route."""
    assert emitted.spans() <= set(SPANS)


def test_what_comes_seldom_is_declared_once() -> None:
    """Each such name is one of the contract, stands in one place, and has a cause."""
    names = [name for names in SELDOM.values() for name in names]
    assert len(names) == len(CAUSES)
    assert set(names) <= set(METRICS) | set(EVENTS) | set(FIELDS) | set(SPANS) | set(TRACKED)
