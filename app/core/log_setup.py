"""Sets logging up for a process, and takes it down again."""

import atexit
import logging

from app.core import console
from app.core.config import Settings, get_settings
from app.core.flood import FloodGate
from app.core.log_bridges import PipelineHandler, is_no_socket_chatter
from app.core.logger import get_logger
from app.core.pipeline import PIPELINE
from app.core.records import present_addresses
from app.core.security import address_for_login
from app.core.sink import Sink
from app.core.spool_bound import open_spool
from app.core.standard_loggers import use_quick_loggers
from app.core.structlog_bridge import bridge_structlog

BACKEND_LOGGER = "backend"
"""The service's own logger of the source documents; its base level is INFO."""

_root = logging.getLogger()


def setup_logging(settings: Settings | None = None, service: str = "") -> Sink:
    """Send all logging of this process through the pipeline. Calling it again starts afresh with the new settings."""
    settings = settings or get_settings()
    shutdown_logging()
    PIPELINE.service = settings.service_name or service or PIPELINE.service
    PIPELINE.tracebacks = settings.log_tracebacks
    PIPELINE.max_field = settings.log_max_field_chars
    PIPELINE.max_record = max(2000, settings.log_max_record_bytes)
    present_addresses(lambda address: address_for_login(address, settings))
    sink = _make_sink(settings, PIPELINE.service)
    PIPELINE.sink = sink
    PIPELINE.gate = FloodGate(settings)
    _take_over_standard_logging(settings.effective_log_level)
    return sink


def _make_sink(settings: Settings, service: str) -> Sink:
    spool = open_spool(settings, service)
    stdout = None
    if settings.log_stdout or spool is None:
        stdout = console.formatter(settings.log_console_id_length) if settings.log_format == "console" else _as_it_is
    sink = Sink(spool, stdout=stdout)
    log = get_logger(__name__)
    sink.on_spool_failed = lambda: log.error("The spool can't be written; records go to standard error", event="spool.failed")
    sink.on_spool_recovered = lambda missed: log.warning("The spool can be written again", event="spool.recovered", count=missed)
    return sink


def _as_it_is(line: bytes) -> bytes:
    return line


def _take_over_standard_logging(level: str) -> None:
    for handler in [handler for handler in _root.handlers if _is_plain(handler)]:
        _root.removeHandler(handler)
    _root.addHandler(PipelineHandler())
    _root.setLevel(level)
    backend = logging.getLogger(BACKEND_LOGGER)
    if backend.level == logging.NOTSET:
        backend.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        if logger.handlers or logger.propagate:  # neither: uvicorn was told to keep this one silent
            logger.handlers.clear()
            logger.propagate = True
    # Uvicorn's WebSockets write every message into their debug records, and every client's address into others.
    server = logging.getLogger("uvicorn.error")
    server.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))
    server.addFilter(is_no_socket_chatter)
    # What they write below a warning is noise, and of "acme" every message of the protocol, with the account's address.
    for name in ("acme", "httpx", "httpcore", "elastic_transport", "urllib3", "asyncio", "aiosqlite", "sqlalchemy", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    use_quick_loggers()


def _is_plain(handler: logging.Handler) -> bool:
    """Ours of an earlier set-up, and handlers that print to a terminal; a test's capture stays."""
    return isinstance(handler, PipelineHandler) or type(handler) is logging.StreamHandler


def shutdown_logging() -> None:
    """Write out what is pending and let go of the spool. Logging afterwards starts it again."""
    if PIPELINE.sink is not None:
        PIPELINE.sink.close()
        PIPELINE.sink = None


def configure_logging(settings: Settings | None = None, service: str = "") -> None:
    """`setup_logging`, and structlog on top of it: its loggers write the same records."""
    setup_logging(settings, service)
    bridge_structlog()


atexit.register(shutdown_logging)
