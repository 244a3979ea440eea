"""One run of the kill loop: services write, faults come and go, everything is healed, the oracle judges."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from tests.faults import writer
from tests.faults.oracle import Counts, Judgement, judge_counters, judge_documents
from tests.faults.schedule import Plan, Step
from tests.faults.writers import Writers
from tests.support.faultproxy import FaultProxy
from tests.support.launch import Launch, launch_program
from tests.support.servers import Server
from tests.support.shipping import Shipping
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

WORK_SECONDS: Final = 60.0
"""A shipper that is to be killed gets so long to begin its work: killing it while it loads its modules proves nothing."""

HEAL_SECONDS: Final = 180
"""Everything must have arrived so long after the last fault."""

STORE_SECONDS: Final = 900
"""Elasticsearch needs half a minute to come back, and many minutes on a machine that does much else."""

SETTLE_SECONDS: Final = 15
"""The shipper saves and shows its counts every second; on a busy machine that may take a while."""

PAUSE_SECONDS: Final = 0.25
"""Between two looks: whoever looks all the time takes from those who work."""

ANSWER_SECONDS: Final = "2"
"""Time limit of a bulk request: shorter than some faults last, so that time-outs happen."""


class Run:
    """Use `execute`; what was done is in `done` afterwards."""

    def __init__(
        self,
        stack: RunningStack,
        folder: Path,
        plan: Plan,
        *,
        shipper: str = "app.shipper",
        module: str = writer.__name__,
        launch: Launch = launch_program,
    ) -> None:
        """`shipper` and `module` are what runs as shipper and as writers: negative controls put broken ones here."""
        self._stack: Final = stack
        self._plan: Final = plan
        self._shipping: Final = Shipping(stack, folder)
        self._shipping.module = shipper
        self._shipping.launch = launch
        self._writers: Final = Writers(folder / "writers", self._shipping.spool, plan, module, launch)
        self._store: Final = Server(stack, "elasticsearch")
        self._complaints: Final[list[str]] = []
        self.done: Final[Counter[str]] = Counter()

    def execute(self) -> Judgement:
        """The whole run; never raises for a broken promise."""
        self._shipping.set_up()
        try:
            with FaultProxy("127.0.0.1", self._stack.port("elasticsearch")) as proxy:
                self._shipping.overrides = {
                    "ELASTICSEARCH_URL": proxy.url,
                    "SHIPPER_TIMEOUT_SECONDS": ANSWER_SECONDS,
                    "SHIPPER_BATCH_DOCS": str(self._plan.batch_docs),
                    "SHIPPER_CONNECTIONS": str(self._plan.connections),
                }
                self._start_shipper()
                self._writers.start()
                self._await_work()
                self._do_faults(proxy)
                self._heal(proxy)
                return self._judge()
        finally:
            self._store.make_sure()
            self._writers.close()
            self._shipping.close()

    # --- faults

    def _do_faults(self, proxy: FaultProxy) -> None:
        moments: list[tuple[float, Callable[[], None]]] = []
        begin = 0.0
        for step in self._plan.steps:
            begin += step.pause
            moments.append((begin, lambda step=step: self._begin(step, proxy)))  # type: ignore[misc]
            if step.kind in ("network", "pause_shipper", "pause_store"):
                moments.append((begin + step.lasts, lambda step=step: self._end(step, proxy)))  # type: ignore[misc]
        passed = 0.0
        for moment, act in sorted(moments, key=lambda pair: pair[0]):
            time.sleep(max(0.0, moment - passed))  # the spans of time are the seed's; there is nothing to wait for
            passed = moment
            act()

    def _begin(self, step: Step, proxy: FaultProxy) -> None:
        self.done[step.mode if step.kind == "network" else step.kind] += 1
        match step.kind:
            case "kill_shipper":
                self._await_work()
                self._end_shipper(signal.SIGKILL)
                self._start_shipper()
            case "stop_shipper":
                self._await_work()
                self._end_shipper(signal.SIGTERM)
                self._start_shipper()
            case "pause_shipper":
                self._signal_shipper(signal.SIGSTOP)
            case "kill_writer":
                self._writers.kill(step.target)
            case "pause_store":
                self._try(self._store.freeze)
            case "kill_store":
                self._try(lambda: self._stack.kill_all("elasticsearch"))
            case "network":
                proxy.set_mode(step.mode)

    def _end(self, step: Step, proxy: FaultProxy) -> None:
        match step.kind:
            case "network":
                proxy.set_mode("pass")
            case "pause_shipper":
                self._signal_shipper(signal.SIGCONT)
            case "pause_store":
                self._try(self._store.thaw)

    def _try(self, act: Callable[[], None]) -> None:
        """A store that is on its way up after a kill can't be killed or frozen; the next fault comes anyway."""
        try:
            act()
        except (AssertionError, psutil.Error):
            self.done["missed"] += 1

    # --- the shipper

    def _start_shipper(self) -> None:
        self._shipping.process = self._shipping.spawn()

    def _await_work(self) -> None:
        self._signal_shipper(signal.SIGCONT)
        try:
            wait_until("the shipper is at work", self._shipping.metrics, WORK_SECONDS, PAUSE_SECONDS)
        except AssertionError:
            self.done["killed_early"] += 1

    def _signal_shipper(self, number: signal.Signals) -> None:
        process = self._shipping.process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def _end_shipper(self, number: signal.Signals) -> None:
        """End it, and notice when it had ended before, or would not."""
        process = self._shipping.process
        assert process is not None
        before = process.poll()
        if before is not None:
            self._complaints.append(f"the shipper ended by itself with {before}: {self._shipping.output.read_text()[-500:]}")
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        code = process.wait(60)
        if number == signal.SIGTERM and code not in (0, -signal.SIGTERM):  # the latter when it was too young to listen
            self._complaints.append(f"the shipper ended with {code} when it was asked to stop: {self._shipping.output.read_text()[-500:]}")

    # --- the end

    def _heal(self, proxy: FaultProxy) -> None:
        proxy.set_mode("pass")
        self._try(self._store.thaw)
        self._signal_shipper(signal.SIGCONT)
        self._complaints.extend(self._writers.stop())
        self._stack.wait_ready("elasticsearch", STORE_SECONDS)
        process = self._shipping.process
        if process is None or process.poll() is not None:
            self._complaints.append(f"the shipper ended by itself: {self._shipping.output.read_text()[-500:]}")
            self._start_shipper()

    def _judge(self) -> Judgement:
        shipping = self._shipping
        shipping.producer.write()
        fresh = shipping.producer.written[-1]
        try:
            wait_until(
                "a fresh event arrives", lambda: shipping.count() and shipping.documents(request_id=fresh), HEAL_SECONDS, PAUSE_SECONDS
            )
            wait_until("the backlog is delivered", lambda: shipping.metrics()["shipper_backlog_records"] == 0, HEAL_SECONDS, PAUSE_SECONDS)
            counts = self._settled_counts()
        except AssertionError as error:
            self._complaints.append(str(error))
            counts = self._counts()
        records, poison = self._writers.owed()
        judgement = judge_documents(records, shipping.documents(logger=writer.LOGGER), writer.is_whole)
        buried = judge_documents(poison, self._letters(), _is_whole_letter)
        judgement.records += buried.records
        for name in ("lost", "doubled", "invented", "damaged"):
            getattr(judgement, name).extend(getattr(buried, name))
        judgement.counters += [*judge_counters(counts), *self._complaints]
        return judgement

    def _settled_counts(self) -> Counts:
        """The counts, once those of the shipper had their second to reach disk; whatever they are after that."""
        with suppress(AssertionError):
            wait_until("the counters agree", lambda: not judge_counters(self._counts()), SETTLE_SECONDS, PAUSE_SECONDS)
        return self._counts()

    def _counts(self) -> Counts:
        shipping, writers = self._shipping, self._writers
        metrics = shipping.metrics()
        _, poison = writers.owed()
        names = [writers.service_name(number) for number in range(self._plan.services)]
        stored = shipping.count()
        return Counts(
            emitted=writers.counted("log_records_emitted_total"),
            emitted_elsewhere=sum(life.count for life in poison),
            stored=shipping.count_of(service_name=names),
            dead=shipping.count(shipping.dead),
            dropped=writers.counted("log_records_dropped_total"),
            backlog=int(metrics["shipper_backlog_records"]),
            torn=int(metrics.get("shipper_records_corrupt_total{torn}", 0)),
            kills=writers.kills,
            shipper_indexed=int(metrics["shipper_records_indexed_total"]),
            shipper_dead=int(sum(value for name, value in metrics.items() if name.startswith("shipper_records_dead_total"))),
            store_indexed=stored,
        )

    def _letters(self) -> list[dict[str, Any]]:
        return [{"request_id": "?", **letter} for letter in self._shipping.dead_letters()]


def _is_whole_letter(letter: Mapping[str, Any]) -> bool:
    try:
        record = orjson.loads(letter["raw"])
    except ValueError:
        return False
    return bool(letter["reason"] == "rejected" and record["message"] == writer.payload_of(letter["request_id"]))
