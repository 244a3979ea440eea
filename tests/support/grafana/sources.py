"""Sends the questions of dashboards to the live servers, by the calls that Grafana's data sources make."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import yaml

from app.stack.stack import Stack
from tests.support.grafana import msearch
from tests.support.grafana.boards import Query
from tests.support.grafana.variables import Value, fill
from tests.support.processes import CHECKOUT

PIXELS: Final = 1000
"""Width of a panel on a large screen. Grafana asks for about as many points."""

MOST_POINTS: Final = 11_000
"""Prometheus refuses to answer with more."""

TIMEOUT_SECONDS: Final = 60.0

_SOURCES: Final = CHECKOUT / "grafana" / "provisioning" / "datasources" / "nobet.yml"
_STEPS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800)
"""Seconds; a time range by the number of points is rounded to one of them."""

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Window:
    """A time range, Unix seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


def last(seconds: float) -> Window:
    """The time range that ends now."""
    now = time.time()
    return Window(now - seconds, now)


def seconds_of(duration: str) -> float:
    """Seconds of a duration such as 30s or 7d, with or without a comparison before it."""
    match = re.fullmatch(r"[<>=]*(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", duration)
    assert match, f"{duration!r} is no duration"
    return float(match[1]) * _UNITS[match[2]]


class Sources:
    """The data sources of one stack. Every answer is a number: how many filled series or documents came back."""

    def __init__(self, stack: Stack, pixels: int = PIXELS) -> None:
        """`pixels` is how wide the panels are."""
        self._pixels: Final = pixels
        self._stack: Final = stack
        settings = stack.settings
        self._scrape: Final = seconds_of(str(settings.prometheus_scrape_interval))
        declared = yaml.safe_load(_SOURCES.read_text(encoding="utf-8"))["datasources"]
        self._indices: Final[dict[str, str]] = {
            source["uid"]: source["jsonData"]["index"].replace("${GF_NOBET_LOG_INDEX_PREFIX}", settings.log_index_prefix)
            for source in declared
            if source["type"] == "elasticsearch"
        }
        self._http: Final = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._elastic: Final = httpx.Client(
            base_url=stack.url("elasticsearch"),
            auth=("nobet_reader", stack.secret("ELASTICSEARCH_READER_PASSWORD")),
            timeout=TIMEOUT_SECONDS,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._elastic.close()

    def ask(self, query: Query, values: Mapping[str, Value], window: Window) -> int:
        """How much data a query of a panel has. AssertionError with the server's words when it is refused."""
        if query.panel.get("timeFrom"):
            window = Window(window.end - seconds_of(query.panel["timeFrom"]), window.end)
        kind = query.source["type"]
        known = {**values, **self._times(query, window)}
        if kind == "prometheus":
            return self._prometheus(query, known, window)
        if kind == "elasticsearch":
            return self._msearch(query, known, window)
        if kind == "jaeger":
            return self._jaeger(query.target, known, window)
        raise AssertionError(f"{query.board}: {query.name} reads from {kind}, which no panel can")

    # --- Prometheus

    def promql(self, expr: str) -> int:
        """How many series an expression has now."""
        return len(self._get_prometheus("query", query=expr)["result"])

    def prometheus(self, path: str, **parameters: Any) -> Any:
        """The `data` of Prometheus' answer to a GET below /api/v1."""
        return self._get_prometheus(path, **parameters)

    def label_values(self, label: str, selector: str, window: Window) -> list[str]:
        """What a query variable offers."""
        about: dict[str, Any] = {"start": window.start, "end": window.end}
        if selector:
            about["match[]"] = selector
        found: list[str] = self._get_prometheus(f"label/{label}/values", **about)
        return found

    def _prometheus(self, query: Query, values: Mapping[str, Value], window: Window) -> int:
        expr = fill(query.target["expr"], values, "prometheus")
        counts = []
        if query.target.get("instant"):
            counts.append(_filled(self._post_prometheus("query", query=expr, time=window.end)["result"]))
        if query.target.get("range") or not query.target.get("instant"):
            step = self._step(query, window)
            answer = self._post_prometheus("query_range", query=expr, start=window.start, end=window.end, step=step)
            counts.append(_filled(answer["result"]))
        return min(counts)

    def _get_prometheus(self, path: str, **parameters: Any) -> Any:
        return _data(self._http.get(f"{self._stack.url('prometheus')}/api/v1/{path}", params=parameters))

    def _post_prometheus(self, path: str, **parameters: Any) -> Any:
        return _data(self._http.post(f"{self._stack.url('prometheus')}/api/v1/{path}", data=parameters))

    def _step(self, query: Query, window: Window) -> float:
        """`$__interval`: the range by the points, rounded, and no less than the least that is set."""
        points = int(query.panel.get("maxDataPoints") or self._pixels)
        exact = window.seconds / points
        rounded = next((step for step in _STEPS if step >= exact * 0.75), math.ceil(exact / 86400) * 86400)
        least = query.target.get("interval") or query.panel.get("interval")
        if query.source["type"] != "prometheus":
            return max(rounded, seconds_of(least) if least else 1)
        return max(rounded, seconds_of(least) if least else self._scrape, window.seconds / MOST_POINTS)

    def _times(self, query: Query, window: Window) -> dict[str, Value]:
        """Grafana's own variables."""
        step = self._step(query, window)
        rate = max(step + self._scrape, 4 * self._scrape)
        texts = {
            "__interval": _duration(step),
            "__interval_ms": str(round(step * 1000)),
            "__rate_interval": _duration(rate),
            "__rate_interval_ms": str(round(rate * 1000)),
            "__range": f"{max(1, round(window.seconds))}s",
            "__range_s": str(max(1, round(window.seconds))),
            "__range_ms": str(round(window.seconds * 1000)),
            "__from": str(round(window.start * 1000)),
            "__to": str(round(window.end * 1000)),
            "__timezone": "utc",
        }
        return {name: Value((text,)) for name, text in texts.items()}

    # --- Elasticsearch

    def _msearch(self, query: Query, values: Mapping[str, Value], window: Window) -> int:
        target = json.loads(json.dumps(query.target))
        lucene = fill(target.get("query") or "", values, "lucene")
        for bucket in target.get("bucketAggs") or []:
            if bucket["type"] == "filters":
                for one in bucket["settings"]["filters"]:
                    one["query"] = fill(one["query"], values, "lucene")
        step = round(self._step(query, window) * 1000)
        body = msearch.search(target, lucene, round(window.start * 1000), round(window.end * 1000), step)
        return msearch.found(target, self._one_search(self._indices[query.source["uid"]], body))

    def terms(self, uid: str, field: str, lucene: str) -> list[str]:
        """What a query variable of an Elasticsearch source offers."""
        about = {"query": lucene or "*", "metrics": [{"id": "1", "type": "count"}], "bucketAggs": []}
        body = msearch.search(about, lucene, 0, round(time.time() * 1000), 1000)
        body["aggs"] = {"1": {"terms": {"field": field, "size": 500}}}
        found = self._one_search(self._indices[uid], body).get("aggregations", {"1": {"buckets": []}})  # none without any index
        return [str(bucket["key"]) for bucket in found["1"]["buckets"]]

    def _one_search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        head = {"ignore_unavailable": True, "index": index, "search_type": "query_then_fetch"}
        lines = "\n".join(json.dumps(part) for part in (head, body)) + "\n"
        answer = self._elastic.post(
            "/_msearch", params={"max_concurrent_shard_requests": 5}, content=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert answer.status_code == 200, answer.text
        one: dict[str, Any] = answer.json()["responses"][0]
        return one

    # --- Jaeger

    def _jaeger(self, target: dict[str, Any], values: Mapping[str, Value], window: Window) -> int:
        if target.get("queryType") == "search":
            about = {name: fill(str(target[name]), values, "raw") for name in ("service", "operation", "tags", "limit") if target.get(name)}
            about |= {"start": str(round(window.start * 1e6)), "end": str(round(window.end * 1e6)), "lookback": "custom"}
            return self._traces("traces", about)
        if target.get("queryType") == "dependencyGraph":
            return self._traces("dependencies", {"endTs": str(round(window.end * 1000)), "lookback": str(round(window.seconds * 1000))})
        return self._traces(f"traces/{fill(target.get('query') or '', values, 'raw')}", {})

    def _traces(self, path: str, parameters: dict[str, str]) -> int:
        answer = self._http.get(f"{self._stack.url('jaeger_ui')}/api/{path}", params=parameters)
        if answer.status_code == 404:
            return 0
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"] or [])


def _data(answer: httpx.Response) -> Any:
    """What Prometheus answered. AssertionError with its own words otherwise."""
    body = answer.json()
    assert body["status"] == "success", body.get("error")
    return body["data"]


def _filled(result: list[dict[str, Any]]) -> int:
    """Series with at least one number that is one."""
    return sum(any(value != "NaN" for _, value in series.get("values") or [series["value"]]) for series in result)


def _duration(seconds: float) -> str:
    return f"{round(seconds)}s" if seconds >= 1 and seconds == round(seconds) else f"{round(seconds * 1000)}ms"
