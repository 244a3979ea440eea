"""Starts one of our web services: `python -m app.core.serve app.main:app --service app --port 8000 --workers 2`.

What it adds to plain uvicorn: the parent process logs JSON too, workers share
their metrics through a folder that is emptied first, and a wrong setting ends
in one clear sentence instead of a traceback.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from app.core.config import ConfigError, Settings, load_settings
from app.core.ports import LOOPBACK, PORTS, port
from app.core.security import signing_secret

GRACE_SECONDS = 20
"""Time that a stopping server gives to requests under way. Below the 30 s after which runners kill."""

_SIGNS_TOKENS = "app"

PATIENCE_SECONDS = 60
"""A worker that says nothing for so long is replaced. On a busy machine imports alone take longer than uvicorn's 5 s: none would start."""

KEEP_ALIVE_SECONDS = 65
"""Longer than the usual 60 s of a proxy in front, so that the proxy closes first and no request meets a closed door."""


def main(arguments: list[str] | None = None) -> int:
    """Run the service until it is told to stop. 2 when it can't be started."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        if options.service == _SIGNS_TOKENS:
            signing_secret(settings)  # made here when none is set, so that all workers have the same
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    workers = options.workers or settings.web_concurrency
    # uvicorn repeats the signal that ended it, which would end us before the folder is cleaned up
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    if workers == 1:
        _run(options, settings, workers)
        return 0
    with tempfile.TemporaryDirectory(prefix="nobet-metrics-") as fallback:
        _share_metrics(settings, Path(fallback), options.service)
        _run(options, settings, workers)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.core.serve", description="Start one of the web services.")
    parser.add_argument("target", help="module:attribute of the ASGI application")
    parser.add_argument("--service", required=True, choices=sorted(PORTS), help="its name; decides the default port")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port to listen on (default: the service's, plus STACK_PORT_OFFSET)")
    parser.add_argument("--workers", type=int, help="worker processes (default: WEB_CONCURRENCY)")
    return parser


def _share_metrics(settings: Settings, fallback: Path, service: str) -> None:
    """Give the workers an empty folder; values of an earlier start would be counted twice."""
    folder = (settings.prometheus_multiproc_dir or fallback) / service
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def server_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told, apart from what to serve where."""
    return {
        "loop": "uvloop",
        "http": "httptools",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "forwarded_allow_ips": settings.forwarded_allow_ips,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_worker_healthcheck": PATIENCE_SECONDS,
        "ws": "websockets-sansio",
        "ws_max_size": settings.websocket_max_bytes,
        "ws_ping_interval": settings.websocket_ping_seconds,
        "ws_ping_timeout": settings.websocket_ping_seconds,
        "ws_per_message_deflate": False,  # small messages: costs more memory per connection than it saves bytes
    }


def _run(options: argparse.Namespace, settings: Settings, workers: int) -> None:
    import uvicorn  # after the folder of the metrics is known: what it imports may make metrics

    from app.core.log_setup import setup_logging
    from app.core.system_metrics import PARENT_VARIABLE
    from app.core.workers import watch_closely

    if workers > 1:
        watch_closely()
        os.environ[PARENT_VARIABLE] = str(os.getpid())
        setup_logging(settings, options.service)
    uvicorn.run(
        options.target,
        host=options.host,
        port=options.port or port(options.service, settings.stack_port_offset),
        workers=workers if workers > 1 else None,
        **server_options(settings),
    )


if __name__ == "__main__":
    sys.exit(main())
