"""The metrics of this process, made from the telemetry contract; several workers give one truth.

`counter(name)`, `gauge(name)` and `histogram(name)` return
prometheus_client objects; an undeclared name raises KeyError. Label sets that
the contract calls born exist with 0 as soon as the family does. With
PROMETHEUS_MULTIPROC_DIR set the workers share their values through files in
that folder, and `exposition` adds them up.
"""

import os
import time
from functools import cache
from typing import Any, Final, TypeVar, cast

from app.core.config import ConfigError, get_settings
from app.core.telemetry.metrics import METRICS, Metric

try:
    _shared = get_settings().prometheus_multiproc_dir
except ConfigError:  # said in one sentence by whoever starts the process, not in the traceback of an import
    _shared = None
if _shared is not None:
    # prometheus_client decides when it is first imported, so the folder must be known before.
    _shared.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_shared)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client import values as values_of_library
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.core.quick_metrics import SharedValue
from app.core.worker_metrics import ExemplarStore, WorkerFiles, with_exemplars

disable_created_metrics()  # a second series for each counter, which no rule or panel asks for

if _shared is not None:
    values_of_library.ValueClass = SharedValue

REGISTRY: Final = CollectorRegistry()
"""What this process measures itself. Extra collectors, such as the system's, are registered here."""

_scrape_only: Final[list[Collector]] = []
"""Collectors that compute their values when asked; they are added to the shared files of all workers."""

_exemplars: Final = ExemplarStore(_shared)
_Family = TypeVar("_Family", Counter, Gauge, Histogram)


class _Nothing:
    """Stands in for a metric that METRICS_DISABLED_GROUPS switches off."""

    def labels(self, *_values: object, **_names: object) -> "_Nothing":
        return self

    def inc(self, *_args: object) -> None: ...

    def dec(self, *_args: object) -> None: ...

    def set(self, *_args: object) -> None: ...

    def observe(self, *_args: object) -> None: ...


def counter(name: str) -> Counter:
    """The declared counter of this name."""
    return _family(name, "counter", Counter)


def gauge(name: str) -> Gauge:
    """The declared gauge of this name."""
    return _family(name, "gauge", Gauge)


def histogram(name: str) -> Histogram:
    """The declared histogram of this name."""
    return _family(name, "histogram", Histogram)


def is_enabled(metric: Metric) -> bool:
    """Whether the settings want this metric."""
    return metric.group not in get_settings().metrics_disabled_groups


def _family(name: str, kind: str, factory: type[_Family]) -> _Family:
    made = _make(name)
    if METRICS[name].type != kind:
        raise KeyError(f"{name} is declared as a {METRICS[name].type}, not as a {kind}")
    return cast("_Family", made)


@cache
def _make(name: str) -> Any:
    metric = METRICS[name]
    if not is_enabled(metric):
        return _Nothing()
    family: Counter | Gauge | Histogram
    if metric.type == "counter":
        family = Counter(name, metric.meaning, metric.labels, registry=REGISTRY)
    elif metric.type == "gauge":
        mode = {"sum": "livesum", "max": "livemax", "min": "livemin"}[metric.across_workers]
        family = Gauge(name, metric.meaning, metric.labels, registry=REGISTRY, multiprocess_mode=cast("Any", mode))
    else:
        family = Histogram(name, metric.meaning, metric.labels, buckets=metric.buckets, registry=REGISTRY)
    for values in metric.born:
        family.labels(*values)
    return family


def start(service: str, version: str, environment: str) -> None:
    """Create the families of a service that have no labels or born ones, so that they are there before the first event.

    A service that the contract doesn't know gets what every web service has.
    """
    role = service if any(service in metric.services for metric in METRICS.values()) else _ANY_WEB_SERVICE
    for metric in METRICS.values():
        if role in metric.services and (not metric.labels or metric.born) and metric.name not in COMPUTED:
            _make(metric.name)
    gauge("app_info").labels(service, version, environment).set(1)


_ANY_WEB_SERVICE: Final = "voice"
"""Emits the kit's metrics and none of its own."""

COMPUTED: Final = frozenset(name for name in METRICS if name.startswith(("process_", "system_")))
"""Metrics whose values are read from the system at scrape time; see `app.core.system_metrics`."""


def use_collector(collector: Collector) -> None:
    """Compute these values when scraped; replaces the collector of an earlier set-up."""
    for old in list(_scrape_only):
        _scrape_only.remove(old)
    _scrape_only.append(collector)


def remember_exemplar(name: str, value: float, trace_id: str, **labels: str) -> None:
    """Link the bucket of a histogram that `value` falls into to a trace. At most one label."""
    _exemplars.add(name, next(iter(labels.values()), ""), value, trace_id, time.time())


def flush_exemplars() -> None:
    """Show this worker's exemplars to the others."""
    _exemplars.flush()


def exposition(accept: str | None) -> tuple[bytes, str]:
    """The metrics of all workers, in the format that `accept` asks for: body and content type."""
    encode, content_type = choose_encoder(accept or "")
    registry = CollectorRegistry()
    registry.register(_All())
    return encode(cast("Any", registry)), content_type


class _All(Collector):
    """Everything that is to be scraped: the shared files or this process's own values, and what is computed now."""

    def collect(self) -> Any:
        own = WorkerFiles(_shared).collect() if _shared is not None else REGISTRY.collect()
        yield from with_exemplars(own, _exemplars.newest())
        for collector in _scrape_only:
            yield from collector.collect()
