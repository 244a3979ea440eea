"""A service with the kit, called in process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from app.core import metrics
from app.core.config import Settings
from app.core.kit import Observability


@asynccontextmanager
async def client_of(app: Callable[..., Awaitable[None]], **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that calls an ASGI application directly."""
    transport = httpx.ASGITransport(app, **options)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@asynccontextmanager
async def service(settings: Settings, app: FastAPI, name: str = "app") -> AsyncIterator[httpx.AsyncClient]:
    """The application with the kit installed and its background work running, and a client for it."""
    obs = Observability(name, settings)
    obs.install(app)
    async with obs.running(), client_of(app) as client:
        yield client


def sample(name: str, **labels: str) -> float:
    """The present value of one series of this process; 0 when there is none."""
    for family in metrics.REGISTRY.collect():
        for found in family.samples:
            if found.name == name and found.labels == labels:
                return float(found.value)
    return 0.0


def run(work: Awaitable[Any]) -> Any:
    """Run a coroutine to its end."""

    async def main() -> Any:
        return await work

    return asyncio.run(main())
