"""Reads what arrived in the stores of a running stack."""

import time
from typing import Any, Final, Protocol

import httpx

from app.stack.choose import is_available
from tests.support.newborn import once_it_is_born
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

PAGE: Final = 5000
SCRAPE_SECONDS: Final = 60
ANSWER_SECONDS: Final = 60
"""Patience with a single answer; five seconds are short where two processes and all their servers share two cores."""


class Reachable(Protocol):
    """A running stack, native or in containers."""

    def url(self, name: str) -> str:
        """The address of a listener, by its name in app.core.ports."""

    def sign_in(self, user: str = "admin") -> tuple[str, str]:
        """User and password of Elasticsearch's nobet_<user>."""


class Stores:
    """Elasticsearch, Prometheus, Jaeger and the inbox of one stack."""

    def __init__(self, stack: Reachable) -> None:
        self._stack: Final = stack

    def logs(self, query: dict[str, Any], index: str = "logs-*,dead-*") -> list[dict[str, Any]]:
        """All documents that a query finds, oldest first, whatever their number; each with `_id` and `_index`."""
        found: list[dict[str, Any]] = []
        body: dict[str, Any] = {"query": query, "size": PAGE, "sort": [{"timestamp": "asc"}, {"_doc": "asc"}]}
        with self._search() as client:
            answer = self._found(client, f"/{index}/_search", body, scroll="1m", allow_no_indices="true")
            while answer.raise_for_status().json()["hits"]["hits"]:
                page = answer.json()
                found += [{**hit["_source"], "_id": hit["_id"], "_index": hit["_index"]} for hit in page["hits"]["hits"]]
                answer = client.post("/_search/scroll", json={"scroll": "1m", "scroll_id": page["_scroll_id"]})
        return found

    def count(self, query: dict[str, Any], index: str = "logs-*,dead-*") -> int:
        """How many documents a query finds, without reading them."""
        with self._search() as client:
            return int(self._found(client, f"/{index}/_count", {"query": query}).json()["count"])

    def aggregate(self, aggregations: dict[str, Any], index: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to aggregations over the documents that a query finds, or over all."""
        with self._search() as client:
            body = {"size": 0, "aggs": aggregations, **({"query": query} if query else {})}
            answer = self._found(client, f"/{index}/_search", body, allow_no_indices="true")
        found: dict[str, Any] = answer.json()["aggregations"]
        return found

    def mappings(self, index: str) -> dict[str, dict[str, Any]]:
        """The field mappings of each index that a pattern matches."""
        with self._search() as client:
            answer = client.get(f"/{index}/_mapping").raise_for_status().json()
        return {name: found["mappings"] for name, found in answer.items()}

    def of_request(self, ident: str) -> list[dict[str, Any]]:
        """The records of one request."""
        return self.logs({"term": {"request_id": ident}})

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of a Prometheus query now."""
        answer = httpx.get(f"{self._stack.url('prometheus')}/api/v1/query", params={"query": expression}, timeout=ANSWER_SECONDS)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return found

    def value(self, expression: str) -> float:
        """The value of a Prometheus query with a single result; NaN when it has none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else float("nan")

    def caught_up(self) -> None:
        """Wait until Prometheus has scraped both services after this moment, so that a count taken now misses nothing of before."""
        since = time.time()

        def scraped() -> bool:
            # Only of a bare selector does timestamp() tell when it was scraped; of anything else it tells the time of the question.
            found = self.query('min by (job) (timestamp(up{job=~"app|voice"}) and up == 1)')
            return len(found) == 2 and all(float(row["value"][1]) > since for row in found)

        wait_until("a scrape of both services", scraped, SCRAPE_SECONDS)

    def targets(self) -> dict[str, list[str]]:
        """The health of each scrape target, by job."""
        answer = httpx.get(f"{self._stack.url('prometheus')}/api/v1/targets", timeout=ANSWER_SECONDS).raise_for_status().json()
        jobs: dict[str, list[str]] = {}
        for target in answer["data"]["activeTargets"]:
            jobs.setdefault(target["labels"]["job"], []).append(target["health"])
        return jobs

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace in Jaeger, each with the name of its service; none when it isn't there (yet)."""
        answer = httpx.get(f"{self._stack.url('jaeger_ui')}/api/traces/{trace_id}", timeout=ANSWER_SECONDS)
        if answer.status_code != 200:
            return []
        trace = answer.json()["data"][0]
        return [{**span, "service": trace["processes"][span["processID"]]["serviceName"]} for span in trace["spans"]]

    def mails(self, text: str) -> list[dict[str, Any]]:
        """The mails whose subject contains a text, oldest first."""
        answer = httpx.get(f"{self._stack.url('inbox')}/email", timeout=ANSWER_SECONDS)
        mails: list[dict[str, Any]] = answer.raise_for_status().json()
        return [mail for mail in mails if text in mail["subject"]]

    def _found(self, client: httpx.Client, path: str, body: dict[str, Any], **params: str) -> httpx.Response:
        client.post("/_refresh").raise_for_status()
        return once_it_is_born(lambda: client.post(path, params=params, json=body).raise_for_status())

    def _search(self) -> httpx.Client:
        return httpx.Client(base_url=self._stack.url("elasticsearch"), auth=self._stack.sign_in(), timeout=ANSWER_SECONDS)


def has_jaeger(stack: RunningStack) -> bool:
    """Whether this machine can have Jaeger: it is built with Go."""
    return is_available(stack.declared, "jaeger")
