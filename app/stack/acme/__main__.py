"""`python -m app.stack.acme` keeps the gateway's certificate fresh, for ever; `renew` and `show` do one thing and end.

`nobet certificate` passes these commands on. Exit code 0 when all is well, 1 when there is no certificate, 2 for wrong use.
"""

import argparse
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.core import context, side_server
from app.core.config import ConfigError, Settings, load_settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.ports import LOOPBACK, PORTS, port
from app.stack.acme.client import OrderError
from app.stack.acme.keeper import Keeper, Round
from app.stack.acme.shelf import Shelf

SERVICE: Final = "acme"
FOLDER_IN_CONTAINER: Final = Path("/var/lib/nobet/certificates")
_SEEDS: Final = (Path("/run/secrets/gateway_certificate"), Path("/run/secrets/gateway_key"))
_GATEWAY: Final = f"http://gateway:{PORTS['gateway']}"

log = get_logger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings() if given.command == "serve" else load_settings(log_stdout=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not settings.gateway_acme_email:
        sys.stderr.write("GATEWAY_ACME_EMAIL is not set, so no certificate is asked for. Set it in .env, then make up.\n")
        return 2
    shelf = Shelf(given.folder)
    keeper = Keeper(settings, shelf, given.web_root or given.folder / "challenges", given.gateway)
    if given.command == "show":
        return _show(keeper)
    setup_logging(settings, SERVICE)
    try:
        if all(path.exists() for path in _SEEDS):
            shelf.seed(*(path.read_bytes() for path in _SEEDS))
        with context.run(SERVICE):
            return _serve(keeper, settings) if given.command == "serve" else _renew(keeper, force=given.force)
    finally:
        shutdown_logging()


def _serve(keeper: Keeper, settings: Settings) -> int:
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    turning = Round(keeper, stop)
    number = port(SERVICE, settings.stack_port_offset)
    try:
        server = side_server.serve(LOOPBACK, number, token=settings.metrics_token, open_metrics=False, health=turning.health)
    except OSError as error:
        sys.stderr.write(f"Can't listen on {LOOPBACK}:{number} ({error.strerror}). Stop what uses it, or set STACK_PORT_OFFSET.\n")
        return 1
    log.info("Watching over the certificate", event="app.started", version=settings.app_version, environment=settings.environment)
    turning.run()
    server.shutdown()
    log.info("Stopped", event="app.stopped")
    return 0


def _renew(keeper: Keeper, *, force: bool) -> int:
    left = keeper.next_order() - time.time()
    if left > 0 and not force:
        sys.stdout.write("Nothing is due. --force asks all the same; public authorities allow a few such orders in a week.\n")
        return _show(keeper)
    if not keeper.serves_challenges():
        sys.stderr.write(f"The gateway does not serve challenges at {keeper.gateway}: `nobet status` says whether it runs.\n")
        return 1
    sys.stdout.write(f"Asking {keeper.settings.gateway_acme_directory} for {len(keeper.names)} names; this takes up to three minutes.\n")
    sys.stdout.flush()
    try:
        keeper.renew(force=force)
    except OrderError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _show(keeper)


def _show(keeper: Keeper) -> int:
    held, trouble = keeper.held(), keeper.trouble
    from_authority = held is not None and not held.self_signed
    lines = [f"Authority  {keeper.settings.gateway_acme_directory}"]
    if held and from_authority:
        lines.append(f"Renewal    {_time(keeper.renewal())}")
    if trouble.failures:
        lines.append(f"Last try   {_time(trouble.failed_at)}, failure {trouble.failures}: {trouble.sentence}")
        lines.append(f"Next try   {_time(trouble.next_try)}; at once: nobet certificate renew --force")
    elif not from_authority:
        lines.append("Next try   as soon as the gateway serves challenges")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if from_authority and not trouble.failures else 1


def _time(seconds: float) -> str:
    return "at once" if seconds < time.time() - 365 * 24 * 3600 else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.stack.acme", description="Keep the gateway's certificate fresh by ACME.")
    parser.set_defaults(command="serve", force=False)
    parser.add_argument("--folder", type=Path, default=FOLDER_IN_CONTAINER, help="where certificate, key and account are")
    parser.add_argument("--web-root", type=Path, help="what the gateway serves challenges from; default: `challenges` in the folder")
    parser.add_argument("--gateway", default=_GATEWAY, help="its plain HTTP, as this process reaches it")
    steps = parser.add_subparsers()
    for name, text in (("serve", "for ever (default)"), ("renew", "when it is due, now"), ("show", "what was tried and what comes next")):
        step = steps.add_parser(name, help=text)
        step.set_defaults(command=name)
        if name == "renew":
            step.add_argument("--force", action="store_true", help="also when nothing is due, or after a failure")
    return parser


if __name__ == "__main__":
    sys.exit(main())
