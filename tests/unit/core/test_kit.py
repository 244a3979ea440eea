"""Putting the kit into an application changes nothing else of it, and lets nobody else tell the same things."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.core.config import load_settings
from app.core.kit import Observability
from app.core.log_setup import shutdown_logging


@pytest.mark.parametrize("installed", [False, True])
def test_the_frameworks_own_telemetry_stays_off(tmp_path: Path, installed: bool) -> None:
    """With a provider of somebody else FastAPI makes spans of its own, query string included; with the kit it doesn't."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = FastAPI(telemetry={"tracer_provider": provider})

    @app.get("/hello")
    async def hello() -> str:
        return "hi"

    if installed:
        Observability("app", load_settings(spool_dir=tmp_path, log_stdout=False)).install(app)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/hello?code=4711")).json() == "hi"

    try:
        asyncio.run(ask())
    finally:
        shutdown_logging()
    assert any("4711" in str(span.attributes) for span in spans.get_finished_spans()) is not installed
