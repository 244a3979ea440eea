"""The shipper as a process: settings in, exit code out."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.clients.elasticsearch import BulkClient, sign_in
from app.core import context, error_tracking, metrics, side_server
from app.core.config import ConfigError, Settings, load_settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.ports import port
from app.core.spool_positions import STATE_FOLDER
from app.core.system_metrics import SystemCollector
from app.core.telemetry.template import dead_prefix
from app.shipper.batch import BatchBuilder
from app.shipper.compression import compress_for
from app.shipper.deliver import Deliverer
from app.shipper.lock import AlreadyRunningError, SpoolLock
from app.shipper.loop import Shipper
from app.shipper.positions import PositionFile, Progress, UnusablePositionsError
from app.shipper.reports import Ledger, Reporter
from app.shipper.segments import SegmentQueue
from app.shipper.sizing import BatchSize

SERVICE: Final = "shipper"
STALLED_SECONDS: Final = 60.0
"""Records that wait longer than this without any success make the shipper unhealthy."""

log = get_logger(__name__)


def run(settings: Settings) -> int:
    """Ship until SIGTERM or SIGINT. 0 after an orderly end, 1 when it could not work."""
    if settings.spool_dir is None:
        return _fail("SPOOL_DIR is not set: there is nothing to ship. Set it to the folder that the services write to.")
    state = settings.spool_dir / STATE_FOLDER
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = SpoolLock(state)
    except AlreadyRunningError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"The spool {settings.spool_dir} can't be used ({error.strerror}). Let this user write to it.")
    setup_logging(settings, SERVICE)
    metrics.start(SERVICE, settings.app_version, settings.environment)
    metrics.use_collector(SystemCollector(settings, with_host=False))
    error_tracking.setup(settings, SERVICE)
    try:
        with context.run(SERVICE):
            return _ship(settings, settings.spool_dir, state)
    finally:
        error_tracking.shutdown()
        shutdown_logging()
        lock.release()


def _ship(settings: Settings, folder: Path, state: Path) -> int:
    shipper, client = assemble(settings, folder, state)
    address, number = settings.shipper_bind, port(SERVICE, settings.stack_port_offset)
    try:
        server = side_server.serve(
            address, number, token=settings.metrics_token, open_metrics=_metrics_open(settings), health=health_of(shipper)
        )
    except OSError as error:
        return _fail(f"Can't listen on {address}:{number} ({error.strerror}). Stop what uses it or set STACK_PORT_OFFSET or SHIPPER_BIND.")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stopper(shipper))
    log.info("Shipping", event="shipper.started", version=settings.app_version, environment=settings.environment)
    try:
        drained = shipper.run()
    except Exception:
        log.exception("The shipper failed", event="shipper.stopped", outcome="failure")
        return 1
    finally:
        server.shutdown()
        client.close()
    log.info("Stopped", event="shipper.stopped", outcome="drained" if drained else "backlog_left")
    return 0


def assemble(settings: Settings, folder: Path, state: Path) -> tuple[Shipper, BulkClient]:
    """All parts of a shipper, put together."""
    reporter = Reporter()
    file = PositionFile(state)
    try:
        progress = file.load()
    except UnusablePositionsError as error:
        reporter.position_rebuilt(str(error))
        progress = Progress()
    client = BulkClient(
        settings.elasticsearch_url,
        sign_in(settings, "shipper"),
        timeout=settings.shipper_timeout_seconds,
        connections=settings.shipper_connections,
        compress=compress_for(settings.elasticsearch_url, settings.shipper_compression),
    )
    size = BatchSize(settings.shipper_batch_docs)
    give_up = threading.Event()
    metrics.gauge("shipper_spool_limit_bytes").set(settings.spool_max_bytes)
    shipper = Shipper(
        folder,
        SegmentQueue(
            folder, progress.positions, lambda name: reporter.position_rebuilt(f"the position in {name} is not at the start of a line")
        ),
        BatchBuilder(
            settings.log_index_prefix,
            events_prefix=settings.effective_events_prefix,
            most_docs=settings.shipper_batch_docs,
            size=size,
            most_bytes=settings.shipper_batch_bytes,
        ),
        Deliverer(
            client,
            reporter,
            dead_prefix=dead_prefix(settings.log_index_prefix),
            longest_pause=settings.shipper_backoff_max_seconds,
            item_tries=settings.shipper_item_tries,
            size=size,
            give_up=give_up,
            renew_sign_in=lambda: renew_sign_in(client),
        ),
        Ledger(file, progress),
        reporter,
        connections=settings.shipper_connections,
        poll_seconds=settings.shipper_poll_seconds,
        drain_seconds=settings.shipper_drain_seconds,
        give_up=give_up,
    )
    return shipper, client


def renew_sign_in(client: BulkClient) -> None:
    """Read the credentials anew, so that a corrected password file or `.env` is enough to go on."""
    with suppress(ConfigError):  # half-written; the next try reads it again
        client.sign_in(sign_in(load_settings(), "shipper"))


def health_of(shipper: Shipper) -> Callable[[], tuple[bool, dict[str, Any]]]:
    """The health check: the loop goes round, the credentials hold, and what waits is getting less."""
    started = time.time()

    def health() -> tuple[bool, dict[str, Any]]:
        oldest = _value("shipper_oldest_unshipped_seconds")
        quiet = time.time() - max(started, _value("shipper_last_success_timestamp_seconds"))
        checks = {
            "loop": "ok" if time.monotonic() - shipper.alive_at < STALLED_SECONDS else "error: the loop stands still",
            "sign_in": "error: Elasticsearch refuses the credentials" if _value("shipper_held") else "ok",
            "delivery": "error: records wait and none is taken" if min(oldest, quiet) > STALLED_SECONDS else "ok",
        }
        healthy = all(state == "ok" for state in checks.values())
        return healthy, {"status": "ok" if healthy else "degraded", "checks": checks}

    return health


def _value(gauge: str) -> float:
    return float(metrics.REGISTRY.get_sample_value(gauge) or 0.0)


def _metrics_open(settings: Settings) -> bool:
    """An empty token leaves the door open in development and test only."""
    return settings.is_trial and not settings.metrics_token.get_secret_value()


def _stopper(shipper: Shipper) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: shipper.stop()


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201
    return 1
