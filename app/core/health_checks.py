"""The checks that need nothing of the application's: disk, memory, and addresses that must answer.

A check returns when all is well and raises when it isn't; it leaves no connection open.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

import psutil

from app.core.config import Settings

Check = Callable[[], Awaitable[None]]
"""Raises when the dependency doesn't work; must give back the connection that it used."""

_FIRST_FAILURE: Final = 500
"""A refusal, such as 401 without a password, is an answer, too; from 500 on the service itself says that it fails."""


class CheckFailedError(Exception):
    """What is wrong, for those who may see it."""


def built_in_checks(settings: Settings) -> dict[str, Check]:
    """The checks that every service has, by the name under which they are reported."""
    checks: dict[str, Check] = {"disk": _disk(settings), "memory": _memory(settings)}
    if settings.health_elasticsearch_url:
        checks["elasticsearch"] = address(settings.health_elasticsearch_url, settings.health_timeout_seconds)
    for entry in settings.health_external_urls:
        name, _, url = entry.partition("=")
        checks[name] = address(url, settings.health_timeout_seconds)
    return checks


def address(url: str, seconds: float) -> Check:
    """Whether something answers there, with any status below 500. A redirect is an answer."""
    import httpx  # 5 MiB, which a service without such checks doesn't need

    certificates = _certificates()

    async def check() -> None:
        async with httpx.AsyncClient(timeout=seconds, follow_redirects=False, verify=certificates) as client:
            answer = await client.get(url)
        if answer.status_code >= _FIRST_FAILURE:
            raise CheckFailedError(f"it answered {answer.status_code}")

    return check


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: reading the certificate authorities takes some 50 ms, in which the event loop would stand still."""
    import httpx

    return httpx.create_ssl_context()


def _disk(settings: Settings) -> Check:
    folder, limit = settings.spool_dir, settings.health_disk_percent

    async def check() -> None:
        used = psutil.disk_usage(str(folder) if folder and folder.exists() else "/").percent
        if used > limit:
            raise CheckFailedError(f"{used:.0f} % of the disk is in use, the limit is {limit:g} %")

    return check


def _memory(settings: Settings) -> Check:
    limit = settings.health_memory_percent

    async def check() -> None:
        used = psutil.virtual_memory().percent
        if used > limit:
            raise CheckFailedError(f"{used:.0f} % of the memory is in use, the limit is {limit:g} %")

    return check
