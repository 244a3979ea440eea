"""J-29: a developer logs secrets and personal data by mistake; every way of logging masks them before any output."""

import json
import subprocess
import sys

import pytest

from tests.support.evidence import ARRIVAL_SECONDS, fresh
from tests.support.files import contents
from tests.support.processes import bare_environment
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-29", "PRV-01", "PRV-02", "PRV-05", "PRV-10", "TST-10")]

PLANTED = {
    "api_key": "sk_live_kanaryaJ29abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJrYW5hcnlhIn0.a2FuYXJ5YUoyOQ",
    "email": "kanarya.j29@example.com",
    "password": "kanaryaJ29-parola",
    "card": "4111 1111 1111 1111",
    "address": "81.213.45.67",
}
VALUES = ("kanaryaJ29", "eyJzdWIiOiJrYW5hcnlhIn0", "kanarya.j29", "4111 1111", "81.213.45.67")

PROGRAM = """
import logging, os, sys, json
import structlog
from app.core import context, error_tracking
from app.core.config import get_settings
from app.core.kit import Observability
from app.core.logger import get_logger

ident, planted = sys.argv[1], json.loads(sys.stdin.read())
obs = Observability("mistakes", get_settings())
text = "; ".join(f"{name}={value}" for name, value in planted.items()) + " Authorization: Bearer " + planted["jwt"]
with context.run("mistakes", request_id=ident):
    error_tracking.begin_request(f"agent password={planted['password']}".encode())
    get_logger("mistakes").info(f"our own logger: {text}", **planted)
    logging.getLogger("mistakes").warning("the standard logger: %s", text, extra={"body": planted})
    structlog.get_logger("mistakes").info("structlog", body=planted, text=text)
    try:
        local = planted["password"]
        raise ValueError(text)
    except ValueError:
        get_logger("mistakes").exception(f"an exception: {text}", body=planted)
obs.close()
"""


def test_no_store_has_the_value_and_the_record_has_the_mask(world: RunningStack, stores: Stores, error_events: SentrySink) -> None:
    """Elasticsearch, spool, standard output, log files, error events: masks, and not one of the values."""
    ident = fresh("j29")
    settings = {"SPOOL_DIR": str(world.spool), "SENTRY_DSN": error_events.dsn, "ENVIRONMENT": "test", "LOG_TRACEBACKS": "always"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ident],
        input=json.dumps(PLANTED),
        env=bare_environment(**settings),
        cwd=world.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    records = wait_until("the four records", lambda: _all_four(stores, ident), ARRIVAL_SECONDS)
    (event,) = wait_until("the error event", lambda: error_events.of(ident), ARRIVAL_SECONDS)

    for record in records:
        assert "***" in json.dumps(record), "what was hidden shows as a mask"
    assert "***" in event["exception"]["values"][0]["value"]
    places = {
        "standard output": done.stdout + done.stderr,
        "Elasticsearch": json.dumps(stores.logs({"match_all": {}})),
        "error events": json.dumps(error_events.events),
        **{path: content.decode(errors="replace") for path, content in contents(world.spool, world.declared.paths.log).items()},
    }
    assert [(name, value) for name, text in places.items() for value in VALUES if value in text] == []


def _all_four(stores: Stores, ident: str) -> list[dict[str, object]]:
    found = [record for record in stores.of_request(ident) if record["logger"] == "mistakes"]
    return found if len(found) == 4 else []
