"""What of the telemetry contract a running stack has really emitted."""

import re
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.core.telemetry import EVENTS, FIELDS, METRICS, SPANS
from app.core.telemetry.seldom import CAUSES
from app.core.telemetry.tracked import TRACKED
from tests.support.lively import Probe
from tests.support.stack import RunningStack
from tests.support.stores import Stores

Key = tuple[str, str, str]

OWN_SERVICES: Final = ("app", "voice", "shipper", "oncall", "cleanup")
"""Those whose metrics are ours."""

TRACED: Final = ("app", "voice")
TARGET_LABELS: Final = {"job", "instance", "service", "env"}
"""Labels that Prometheus adds."""

_REQUEST_SPAN: Final = re.compile(r"(?:[A-Z]+|WEBSOCKET) (?:/\S*|unmatched)")
"""How `http.server` is renamed: METHOD /route."""


class Emitted:
    """Names that the stores of one stack hold."""

    def __init__(self, stack: RunningStack, stores: Stores) -> None:
        self._stack: Final = stack
        self._stores: Final = stores

    def metrics(self) -> set[tuple[str, str]]:
        """(series name, job) of everything that our services expose."""
        jobs = "|".join(OWN_SERVICES)
        found = self._stores.query(f'count by (__name__, job) ({{job=~"{jobs}"}})')
        return {(series["metric"]["__name__"], series["metric"]["job"]) for series in found}

    def families(self, service: str) -> dict[str, tuple[str, list[set[str]]]]:
        """What a service's /metrics says: family → type, label names of its samples."""
        token = {"Authorization": f"Bearer {self._stack.secret('METRICS_TOKEN')}"}
        text = httpx.get(f"{self._stack.url(service)}/metrics", headers=token, timeout=60).raise_for_status().text
        return {
            family.name + ("_total" if family.type == "counter" else ""): (
                family.type,
                [set(sample.labels) - {"le"} for sample in family.samples],
            )
            for family in text_string_to_metric_families(text)
        }

    def events(self, since: str = "1970-01-01") -> set[str]:
        """Values of the field `event` in log records."""
        return self._terms("logs-*", "event", since)

    def tracked(self, since: str = "1970-01-01") -> set[str]:
        """Types of tracked events."""
        return self._terms("events-*", "event_type", since)

    def fields(self) -> set[str]:
        """Declared fields that at least one log record has."""
        filters = {name: {"exists": {"field": name}} for name in FIELDS}
        answer = self._stores.aggregate({"fields": {"filters": {"filters": filters}}}, "logs-*")
        return {name for name, bucket in answer["fields"]["buckets"].items() if bucket["doc_count"]}

    def spans(self) -> set[str]:
        """Declared names of spans in Jaeger, requests as `http.server`; any other name as it is."""
        found: set[str] = set()
        for service in TRACED:
            answer = httpx.get(f"{self._stack.url('jaeger_ui')}/api/services/{service}/operations", timeout=60).raise_for_status()
            found |= {"http.server" if _REQUEST_SPAN.fullmatch(name) else name for name in answer.json()["data"] or []}
        return found

    def _terms(self, index: str, field: str, since: str) -> set[str]:
        within: dict[str, Any] = {"range": {"timestamp": {"gte": since}}}
        answer = self._stores.aggregate({"names": {"terms": {"field": field, "size": 1000}}}, index, within)
        return {bucket["key"] for bucket in answer["names"]["buckets"]}


def expected_series() -> set[tuple[str, str]]:
    """(series name, job) that healthy services with traffic expose."""
    return {
        (metric.name + ("_count" if metric.type == "histogram" else ""), service)
        for metric in METRICS.values()
        if metric.name not in CAUSES
        for service in metric.services
    }


def contract_probes(emitted: Emitted) -> list[tuple[Key, Probe, bool]]:
    """For each kind of name: everything that is expected of a system with visitors has been emitted."""
    return [
        (("emitted", "metrics", ""), lambda: _listed(expected_series() - emitted.metrics()), True),
        (("emitted", "events", ""), lambda: _listed(set(EVENTS) - set(CAUSES) - emitted.events()), True),
        (("emitted", "fields", ""), lambda: _listed(set(FIELDS) - set(CAUSES) - emitted.fields()), True),
        (("emitted", "tracked", ""), lambda: _listed(set(TRACKED) - set(CAUSES) - emitted.tracked()), True),
        (("emitted", "spans", ""), lambda: _listed(set(SPANS) - set(CAUSES) - emitted.spans()), True),
    ]


def _listed(missing: set[Any]) -> str:
    return ", ".join(map(str, sorted(missing)))
