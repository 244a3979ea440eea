"""The loop: read, send a few batches at once, move the positions in order, remove what is done.

One thread reads and keeps the books; `connections` threads send. Batches are
settled in the order in which they were read, so that a position never passes a
line that is still on its way. One that takes long, because a document of it is tried
again and again, does not stop those behind it: up to MOST_WAITING of them are
delivered and wait without their bytes.
"""

import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from app.core import metrics
from app.core.spool_files import sync_directory
from app.shipper.backlog import BacklogMeter
from app.shipper.balance import Balance
from app.shipper.batch import Batch, BatchBuilder
from app.shipper.deliver import CORRUPT, DEAD, Deliverer
from app.shipper.reports import Ledger, Reporter
from app.shipper.segments import SegmentQueue

TICK_SECONDS: Final = 1.0
"""Longest time between two looks at folder, gauges and position file."""

MOST_WAITING: Final = 256
"""Batches read and not settled; so many are sent again at most, and refused as duplicates, when the process is killed."""

Outcome = Counter[str] | None


class SenderThreads:
    """Threads that deliver batches. Daemons: a request that hangs must not keep the process from ending."""

    def __init__(self, deliverer: Deliverer, threads: int) -> None:
        self._deliverer = deliverer
        self._work: SimpleQueue[tuple[Batch, Future[Outcome]] | None] = SimpleQueue()
        self._threads = threads
        self._ended = threading.Semaphore(0)
        self.busy = 0
        """Batches that were submitted and of whose end `wait` has not told yet."""
        for number in range(threads):
            threading.Thread(target=self._run, name=f"shipper-send-{number}", daemon=True).start()

    def submit(self, batch: Batch) -> Future[Outcome]:
        """The outcome to come of delivering a batch."""
        future: Future[Outcome] = Future()
        self.busy += 1
        self._work.put((batch, future))
        return future

    def wait(self, timeout: float) -> bool:
        """Wait until a batch ends, whichever. False when none did in time."""
        ended = self._ended.acquire(timeout=timeout)
        self.busy -= ended
        return ended

    def close(self) -> None:
        """Let the threads end when their work is done."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            batch, future = work
            try:
                outcome = self._deliverer.deliver(batch)
                batch.body, batch.rejects = b"", []  # it may wait for those before it; its bytes needn't
                future.set_result(outcome)
            except BaseException as error:  # noqa: BLE001 (goes to the loop, which ends the process with it)
                future.set_exception(error)
            finally:
                self._ended.release()


class Shipper:
    """Runs until told to stop; then drains for a bounded time."""

    def __init__(
        self,
        folder: Path,
        queue: SegmentQueue,
        builder: BatchBuilder,
        deliverer: Deliverer,
        ledger: Ledger,
        reporter: Reporter,
        *,
        connections: int,
        poll_seconds: float,
        drain_seconds: float,
        give_up: threading.Event,
    ) -> None:
        self._folder = folder
        self._queue = queue
        self._builder = builder
        self._threads = SenderThreads(deliverer, connections)
        self._ledger = ledger
        self._reporter = reporter
        self._meter = BacklogMeter(folder)
        self._balance = Balance(folder)
        self._connections = connections
        self._poll_seconds = poll_seconds
        self._drain_seconds = drain_seconds
        self._give_up = give_up
        self._stop = threading.Event()
        self._window: deque[tuple[Batch, Future[Outcome]]] = deque()
        self._next_look = 0.0
        self._next_tick = 0.0
        self._caught_up = False
        self._gave_up = False
        self.alive_at = time.monotonic()
        """When the loop last went round, for the health check."""

    def stop(self) -> None:
        """Ask the loop to drain and end. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> bool:
        """Ship until stopped. True when everything that was in the spool at the end is delivered."""
        try:
            self._queue.scan()  # before anything is saved: positions are kept for the segments that are there
            self._tick()
            while not self._stop.is_set():
                self._turn(self._stop)
            return self._drain()
        finally:
            self._give_up.set()
            self._threads.close()
            self._queue.close()
            self._balance.close()

    def _drain(self) -> bool:
        """Go on until nothing is left or the time is up."""
        deadline = time.monotonic() + self._drain_seconds
        timer = threading.Timer(self._drain_seconds, self._give_up.set)
        timer.daemon = True
        timer.start()
        self._next_look = self._next_tick = 0.0
        self._caught_up = False
        while time.monotonic() < deadline and not self._give_up.is_set() and not self._drained():
            self._turn(self._give_up)
        timer.cancel()
        self._tick()
        return self._drained()

    def _drained(self) -> bool:
        return self._caught_up and not self._window and not self._gave_up

    def _turn(self, wake: threading.Event) -> None:
        """One step: start a batch if there is one to start, else settle the oldest, else wait."""
        now = self.alive_at = time.monotonic()
        if now >= self._next_tick:
            self._tick()
        if self._threads.busy <= self._connections and len(self._window) < MOST_WAITING and now >= self._next_look and self._start_batch():
            return
        if self._window:
            self._threads.wait(min(TICK_SECONDS, self._poll_seconds))
            self._settle()
        else:
            wake.wait(max(0.0, min(self._next_look, self._next_tick) - time.monotonic()))

    def _start_batch(self) -> bool:
        if self._caught_up:
            self._queue.scan()
        batch, full = self._builder.build(self._queue)
        self._caught_up = not full
        if not full:
            self._next_look = time.monotonic() + self._poll_seconds
        if batch.empty:
            return False
        self._window.append((batch, self._threads.submit(batch)))
        return True

    def _settle(self) -> None:
        """Book the batches that are done and have none before them that isn't."""
        while self._window and self._window[0][1].done():
            batch, future = self._window[0]
            counts = future.result()
            if counts is None:
                self._window.clear()  # everything from here on stays in the spool
                self._gave_up = True
                return
            self._window.popleft()
            self._book(batch, counts)

    def _book(self, batch: Batch, counts: Counter[str]) -> None:
        counts[f"{CORRUPT}:torn"] += len(batch.torn)
        counts[f"{CORRUPT}:garbage"] += counts[f"{DEAD}:malformed"]
        self._ledger.add(+counts)
        for span in batch.spans:
            span.segment.delivered = span.end
            span.segment.lines_under_way -= span.lines
        for name in batch.torn:
            self._reporter.corrupt("torn", str(name))

    def _tick(self) -> None:
        """Positions to disk, delivered segments away, a look at the folder, gauges."""
        self._next_tick = time.monotonic() + TICK_SECONDS
        try:
            self._ledger.save(self._queue.positions())
        except OSError as error:
            # Go on and remove what is delivered: on a full disk that is what makes room for the positions.
            self._reporter.position_unsaved(error)
        delivered = self._queue.delivered()
        for segment in delivered:
            self._balance.settle(segment.name)
            self._queue.remove(segment)
        if delivered:
            sync_directory(self._folder)
        self._balance.begin()
        self._queue.scan()
        backlog = self._meter.measure(self._queue)
        metrics.gauge("shipper_backlog_bytes").set(backlog.size)
        metrics.gauge("shipper_backlog_records").set(backlog.records)
        metrics.gauge("shipper_backlog_segments").set(backlog.segments)
        metrics.gauge("shipper_oldest_unshipped_seconds").set(backlog.oldest_seconds)
        self._balance.show(backlog, self._ledger.accounted)
