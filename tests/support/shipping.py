"""The shipper as a process, and the oracle that compares what was written with what the store holds."""

import os
import random
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
from elasticsearch import Elasticsearch
from prometheus_client.parser import text_string_to_metric_families

from app.core.config import load_settings
from app.core.ports import PORTS
from app.shipper import setup
from tests.support.launch import Launch, Running, launch_program
from tests.support.newborn import once_it_is_born
from tests.support.processes import bare_environment, free_offset_of
from tests.support.producing import PRODUCER, Producer, payload_of
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

START_SECONDS: Final = 60
ARRIVAL_SECONDS: Final = 180


class Shipping:
    """A spool, index names and a shipper process of one test's own."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.stack: Final = stack
        self.seed: Final = int(os.environ.get("SHIPPING_SEED", "") or random.randrange(1 << 32))
        print(f"SHIPPING_SEED={self.seed}")
        self.spool: Final = folder / "spool"
        self.spool.mkdir(parents=True)
        self.output: Final = folder / "shipper.log"
        self.name: Final = f"t{uuid.uuid4().hex[:10]}"
        self.prefix: Final = f"logs-{self.name}"
        self.dead: Final = f"dead-{self.name}"
        self.events_prefix: Final = f"events-{self.name}"
        self.url: Final = stack.url("elasticsearch")
        self.admin: Final = Elasticsearch(self.url, basic_auth=stack.sign_in("admin"), request_timeout=30)
        self.producer = Producer(self.spool, self.seed)
        self.process: Running | None = None
        self._offset = free_offset_of("shipper", "cleanup")
        self._http = self._ask_at("127.0.0.1")
        self.overrides: dict[str, str] = {}
        self.module = "app.shipper"
        self.launch: Launch = launch_program

    @property
    def environment(self) -> dict[str, str]:
        """What the shipper's process is told."""
        return bare_environment(
            **{
                "SPOOL_DIR": str(self.spool),
                "ELASTICSEARCH_URL": self.url,
                "ELASTICSEARCH_SHIPPER_PASSWORD": self.stack.sign_in("shipper")[1],
                "LOG_INDEX_PREFIX": self.prefix,
                "LOG_STDOUT": "false",
                "ENVIRONMENT": "test",
                "STACK_PORT_OFFSET": str(self._offset),
                "SHIPPER_POLL_SECONDS": "0.1",
                "SHIPPER_BACKOFF_MAX_SECONDS": "0.5",
                "SHIPPER_BATCH_DOCS": "500",
                **self.overrides,
            }
        )

    def set_up(self) -> None:
        """Put this test's index templates in place."""
        settings = load_settings(
            elasticsearch_url=self.url, elasticsearch_admin_password=self.stack.sign_in("admin")[1], log_index_prefix=self.prefix
        )
        assert setup.run(settings) == 0

    def start(self, **overrides: str) -> None:
        """Start the shipper and wait until it answers."""
        self.overrides = overrides
        self.process = self.spawn()
        try:
            wait_until("the shipper serves metrics", self.metrics, START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; exit code {self.process.poll()}\n{self.output.read_text()[-2000:]}") from error

    def move_to(self, host: str, launch: Launch, asking_from: str) -> None:
        """Let the shipper run elsewhere, and ask it there."""
        self.launch = launch
        self._http.close()
        self._http = self._ask_at(host, httpx.HTTPTransport(local_address=asking_from))

    def _ask_at(self, host: str, transport: httpx.HTTPTransport | None = None) -> httpx.Client:
        return httpx.Client(base_url=f"http://{host}:{PORTS['shipper'] + self._offset}", timeout=5, trust_env=False, transport=transport)

    def spawn(self) -> Running:
        """Start a shipper process and look no further."""
        return self.launch(self.module, [], self.environment, self.spool.parent, self.output)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End the shipper; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def metrics(self) -> dict[str, float]:
        """The shipper's metrics, `name` or `name{label value}`."""
        answer = self._http.get("/metrics")
        found = {}
        for family in text_string_to_metric_families(answer.raise_for_status().text):
            for sample in family.samples:
                labels = ",".join(sample.labels.values())
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def health(self) -> httpx.Response:
        """The shipper's answer to a health check."""
        return self._http.get("/health")

    def count(self, prefix: str | None = None) -> int:
        """Documents in the indices that begin so (default: the logs)."""
        pattern = f"{prefix or self.prefix}-*"
        self.admin.indices.refresh(index=pattern, ignore_unavailable=True, allow_no_indices=True)
        answer = once_it_is_born(lambda: self.admin.count(index=pattern, ignore_unavailable=True, allow_no_indices=True))
        return int(answer["count"])

    def count_of(self, **terms: list[str]) -> int:
        """Log documents with one of a field's values, as of the last refresh."""
        answer = once_it_is_born(lambda: self.admin.count(index=f"{self.prefix}-*", query={"terms": terms}, ignore_unavailable=True))
        return int(answer["count"])

    def documents(self, **term: str) -> list[dict[str, Any]]:
        """The log documents with a field's value, all of them."""
        return list(self.stream(**term))

    def stream(self, **term: str) -> Iterator[dict[str, Any]]:
        """The log documents with a field's value, one after the other: there may be a million."""
        where: dict[str, Any] = {"index": f"{self.prefix}-*", "query": {"term": term}}
        page = once_it_is_born(lambda: self.admin.search(**where, size=10_000, scroll="1m", ignore_unavailable=True))
        while hits := page["hits"]["hits"]:
            yield from (hit["_source"] for hit in hits)
            page = self.admin.scroll(scroll_id=page["_scroll_id"], scroll="1m")
        self.admin.clear_scroll(scroll_id=page["_scroll_id"])

    def arrived(self) -> set[str]:
        """The ids of the producer's records that are in Elasticsearch."""
        self.count()
        return {str(document["request_id"]) for document in self.documents(logger=PRODUCER)}

    def dead_letters(self) -> list[dict[str, Any]]:
        """All dead letters of this test."""
        self.count(self.dead)
        where: dict[str, Any] = {"index": f"{self.dead}-*", "ignore_unavailable": True, "allow_no_indices": True}
        hits = once_it_is_born(lambda: self.admin.search(**where, size=1000))["hits"]["hits"]
        return [hit["_source"] for hit in hits]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The shipper's own records of one event that arrived."""
        self.count()
        return self.documents(event=name)

    def wait_drained(self, timeout: float = ARRIVAL_SECONDS) -> None:
        """Wait until nothing of what was written is missing in the store's answers, and the spool is empty of it."""
        wait_until("the backlog is delivered", lambda: self.metrics()["shipper_backlog_records"] == 0, timeout)

    def check_oracle(self, *, dead: int = 0, lost_to_damage: frozenset[str] = frozenset(), timeout: float = ARRIVAL_SECONDS) -> None:
        """Every obligation arrived once and unharmed, nothing else did, and the counters tell the truth."""
        self.producer.write()  # a fresh event still flows from end to end
        last = self.producer.written[-1]
        wait_until("a fresh event arrives", lambda: self.count() and self.documents(request_id=last), timeout)
        self.wait_drained(timeout)
        self.count()
        arrived: Counter[str] = Counter()
        damaged: list[str] = []
        for document in self.stream(logger=PRODUCER):
            arrived[document["request_id"]] += 1
            if document["message"] != payload_of(document["request_id"]):
                damaged.append(document["request_id"])
        written = set(self.producer.written)
        assert written - lost_to_damage - arrived.keys() == set(), "obligations that did not arrive"
        assert arrived.keys() - written == set(), "documents that nobody wrote"
        assert [ident for ident, times in arrived.items() if times > 1] == [], "documents that are there twice"
        assert damaged == []
        assert self.count(self.dead) == dead
        self._check_counters()

    def _check_counters(self) -> None:
        """The store's own counts equal the shipper's: what is indexed and dead was counted once each, over every life of the process."""

        def agree() -> bool:
            metrics = self.metrics()
            buried = sum(value for name, value in metrics.items() if name.startswith("shipper_records_dead_total"))
            return (metrics["shipper_records_indexed_total"], buried, metrics["shipper_backlog_records"]) == (
                self.count(),
                self.count(self.dead),
                0,
            )

        wait_until("the counters equal what the store holds", agree, START_SECONDS)

    def close(self) -> None:
        """End what runs and remove the indices."""
        self.producer.close()
        if self.process is not None:
            self.kill()
        names = list(
            self.admin.indices.get(
                index=f"{self.prefix}-*,{self.dead}-*,{self.events_prefix}-*", features="settings", ignore_unavailable=True
            ).body
        )
        if names:
            self.admin.indices.delete(index=names)
        for template in (self.prefix, self.dead, self.events_prefix):
            self.admin.options(ignore_status=404).indices.delete_index_template(name=template)
        self.admin.close()
        self._http.close()
