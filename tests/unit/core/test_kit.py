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


@pytest.mark.req("HTM-01", "HLT-01")
@pytest.mark.parametrize("rest", [None, "/{anything:path}", "/health/{name}"])
def test_the_kits_endpoints_answer_wherever_they_stand(tmp_path: Path, rest: str | None) -> None:
    """Behind the service's own, where they cost its requests nothing; before them, where one of those would answer instead."""
    obs = Observability("app", load_settings(spool_dir=tmp_path, log_stdout=False, environment="test"))
    app = FastAPI(lifespan=obs.lifespan)
    obs.install(app)
    app.get("/hello")(lambda: "hi")
    if rest is not None:
        app.get(rest)(lambda: "anything else")

    async def ask() -> list[str]:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            return [(await client.get(path)).text for path in ("/health/live", "/metrics", "/hello")]

    try:
        live, metrics, hello = asyncio.run(ask())
    finally:
        shutdown_logging()
    assert (live, hello, "app_info" in metrics) == ('{"status":"ok"}', '"hi"', True)
    others = ("/hello", rest)
    assert (getattr(app.router.routes[-1], "path", "") in others) is (rest is not None)
