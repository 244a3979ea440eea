"""What a service has not switched on it doesn't carry: libraries are loaded by the feature that needs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.stack.paths import CHECKOUT

LATER = ("httpx", "sentry_sdk", "opentelemetry.sdk", "opentelemetry.exporter", "structlog", "rich", "sqlalchemy")
"""From 2 to 11 MiB each."""

SERVICE = f"""
import asyncio, json, sys
from fastapi import FastAPI
from app.core.config import get_settings
from app.core.kit import Observability

async def serve():
    obs = Observability("app", get_settings())
    app = FastAPI(lifespan=obs.lifespan)
    obs.install(app)
    async with app.router.lifespan_context(app):
        return [name for name in {LATER!r} if name in sys.modules]

print(json.dumps(asyncio.run(serve())))
"""

STRUCTLOG_LATER = """
from app.core.log_setup import configure_logging
configure_logging(service="app")
import structlog
structlog.get_logger("x.y").info("feed.loaded", count=3, password="hunter2")
"""


def said(program: str, folder: Path, **settings: str) -> Any:
    """What a fresh process says last on its standard output."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "ENVIRONMENT": "test", "SPOOL_DIR": str(folder / "spool")}
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**environment, **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(printed.stdout.splitlines()[-1])


def test_a_service_with_nothing_switched_on_carries_none_of_it(tmp_path: Path) -> None:
    """Id, context, records and metrics need none of these."""
    assert said(SERVICE, tmp_path, LOG_STDOUT="false") == []


@pytest.mark.parametrize(
    ("setting", "value", "library"),
    [
        ("SENTRY_DSN", "http://key@127.0.0.1:1/1", "sentry_sdk"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "opentelemetry.exporter"),
    ],
)
def test_what_is_switched_on_is_there(tmp_path: Path, setting: str, value: str, library: str) -> None:
    """The control: the list above would show them."""
    assert library in said(SERVICE, tmp_path, LOG_STDOUT="false", **{setting: value})


@pytest.mark.req("LOG-08", "LOG-09")
def test_structlog_that_is_imported_later_writes_the_same_records(tmp_path: Path) -> None:
    """Set up in the moment of its import: in the schema, masked, in the spool's format."""
    record = said(STRUCTLOG_LATER, tmp_path, LOG_STDOUT="true", LOG_FORMAT="json")
    assert (record["event"], record["count"], record["logger"], record["extra"]) == ("feed.loaded", 3, "x.y", {"password": "***"})
