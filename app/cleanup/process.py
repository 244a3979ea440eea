"""The nightly cleanup as a process: looks at the clock, makes the run that is due, serves /metrics and /health.

It also keeps the canary of the logs: of all processes it is the one that reads the indices anyway and needs no shipper.
"""

import datetime as dt
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.cleanup import backups
from app.cleanup.runs import COMPONENT, CleanupRuns
from app.clients.canary_search import LogCanarySearch
from app.clients.cleanup_state import CleanupState, LeaseHeldError
from app.core import context, error_tracking, metrics, side_server
from app.core.alerting import Alerting
from app.core.cleanup_schedule import latest_night
from app.core.config import Settings
from app.core.index_store import StoreError
from app.core.log_canary import LogCanary
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.ports import port
from app.core.system_metrics import SystemCollector

POLL_SECONDS: Final = 10.0
"""Pause between two looks at the clock and at the state."""

RETRY_SECONDS: Final = 300.0
"""A run that could not even begin, because Elasticsearch was away, is tried again after this."""

PATIENCE_SECONDS: Final = 60.0
"""While another process works, it is left alone for so long."""

STALLED_SECONDS: Final = 60.0

CANARY_END_SECONDS: Final = 6.0
"""A look for the canary that is under way may take its time limit, five seconds."""

CLEANUP_FAILED: Final = "LogCleanupFailed"

log = get_logger(__name__)


def serve(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT. 0 after an orderly end, 1 when it could not work."""
    setup_logging(settings, COMPONENT)
    metrics.start(COMPONENT, settings.app_version, settings.environment)
    metrics.use_collector(SystemCollector(settings, with_host=False))
    error_tracking.setup(settings, COMPONENT)
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _stopper(stop))
    alerts = Alerting(settings, settings.service_name or COMPONENT)
    scheduler = Scheduler(settings, stop, alerts=alerts)
    try:
        address, number = settings.log_cleanup_bind, port(COMPONENT, settings.stack_port_offset)
        open_doors = settings.is_trial and not settings.metrics_token.get_secret_value()
        server = side_server.serve(address, number, token=settings.metrics_token, open_metrics=open_doors, health=scheduler.health)
    except OSError as error:
        sentence = (
            f"Can't listen on {address}:{number} ({error.strerror}). Stop what uses it, or set STACK_PORT_OFFSET or LOG_CLEANUP_BIND."
        )
        print(sentence, file=sys.stderr)  # noqa: T201
        return 1
    with context.run(COMPONENT):
        log.info("Watching over retention", event="app.started", version=settings.app_version, environment=settings.environment)
    search = LogCanarySearch(settings)
    canary = threading.Thread(target=LogCanary(search, settings.canary_seconds).run, args=(stop,), name="canary", daemon=True)
    canary.start()
    try:
        scheduler.run()
    finally:
        stop.set()
        canary.join(CANARY_END_SECONDS)
        search.close()
        server.shutdown()
        alerts.close()
        with context.run(COMPONENT):
            log.info("Stopped", event="app.stopped")
        error_tracking.shutdown()
        shutdown_logging()
    return 0


class Scheduler:
    """Makes the run of each night once, and makes up for a missed one."""

    def __init__(self, settings: Settings, stop: threading.Event, runs: CleanupRuns | None = None, alerts: Alerting | None = None) -> None:
        self._settings: Final = settings
        self._alerts: Final = alerts
        self._stop: Final = stop
        self._runs: Final = runs or CleanupRuns(settings, stop)
        self._figures: Final = Figures(settings.log_archive_dir)
        self._backups: Final = backups.notes_of(settings)
        self._not_before = 0.0
        self._busy = False
        self._alive_at = time.monotonic()

    def run(self) -> None:
        """Look until told to stop."""
        try:
            while not self._stop.is_set():
                self.look(dt.datetime.now(dt.UTC))
                self._alive_at = time.monotonic()
                self._stop.wait(POLL_SECONDS)
        finally:
            self._runs.close()
            self._backups.close()

    def look(self, now: dt.datetime) -> None:
        """Show how the last runs went, and make the run that is due at `now`. Never raises for what it works with."""
        night = latest_night(now, self._settings.log_cleanup_at, self._settings.log_cleanup_timezone).isoformat()
        try:
            state = self._runs.state()
            self._figures.show(state)
            self._alert(failed=state.failed)
            if state.night < night and time.monotonic() >= self._not_before:
                self._clean_up(night)
        except StoreError as error:
            # Whether a run is due can't be known. Elasticsearch's own alert pages; an overdue cleanup has one, too.
            log.debug("The state of the cleanup is unknown", event="cleanup.unknown", error_message=str(error))
        except Exception:
            log.exception("The cleanup has a fault", event="error.raised")
        self._show_backups()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the loop goes round. A failed run is no reason to restart the process; it has an alert."""
        turning = self._busy or time.monotonic() - self._alive_at < STALLED_SECONDS
        return turning, {"status": "ok" if turning else "degraded", "checks": {"loop": "ok" if turning else "error: the loop stands still"}}

    def _show_backups(self) -> None:
        with suppress(StoreError):  # the figures stay; Elasticsearch's own alert pages
            backups.show(self._settings, self._backups.read())

    def _clean_up(self, night: str) -> None:
        self._busy = True
        try:
            self._runs.run(night)
            state = self._runs.state()
            self._figures.show(state)
            self._alert(failed=state.failed)
        except LeaseHeldError:
            self._not_before = time.monotonic() + PATIENCE_SECONDS  # the other one notes the night, or dies
        except StoreError:
            self._figures.failed()
            self._alert(failed=True)
            self._not_before = time.monotonic() + RETRY_SECONDS
        finally:
            self._busy = False
            self._alive_at = time.monotonic()

    def _alert(self, *, failed: bool) -> None:
        """The same alert that the rule about cleanup_failed makes, for when nobody scrapes."""
        if self._alerts is None:
            return
        if failed:
            self._alerts.fire(
                CLEANUP_FAILED,
                severity="warning",
                summary="The cleanup of expired logs failed.",
                description="Nothing that is not safely archived was deleted; expired logs stay until a cleanup succeeds.",
            )
        else:
            self._alerts.end(CLEANUP_FAILED)


class Figures:
    """The metrics. Counts come from the state that all machines share, so a restart loses none of them."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._shown = CleanupState()

    def show(self, state: CleanupState) -> None:
        """Bring the metrics up to what is known."""
        before, self._shown = self._shown, state
        _raise(metrics.counter("cleanup_runs_total").labels("failure"), before.failures, state.failures)
        _raise(metrics.counter("cleanup_runs_total").labels("success"), before.runs - before.failures, state.runs - state.failures)
        _raise(metrics.counter("cleanup_indices_deleted_total"), before.indices, state.indices)
        _raise(metrics.counter("cleanup_documents_archived_total"), before.documents, state.documents)
        _raise(metrics.counter("cleanup_archives_expired_total"), before.archives_expired, state.archives_expired)
        metrics.gauge("cleanup_last_success_timestamp_seconds").set(state.last_success_at)
        metrics.gauge("cleanup_failed").set(1 if state.failed else 0)
        sizes = [path.stat().st_size for path in self._folder.glob("*.age")]
        metrics.gauge("cleanup_archives").set(len(sizes))
        metrics.gauge("cleanup_archive_bytes").set(sum(sizes))

    def failed(self) -> None:
        """A run could not begin; the state can't say so, because Elasticsearch keeps it."""
        metrics.gauge("cleanup_failed").set(1)


def _raise(counter: Any, before: int, now: int) -> None:
    if now > before:
        counter.inc(now - before)


def _stopper(stop: threading.Event) -> Any:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle
