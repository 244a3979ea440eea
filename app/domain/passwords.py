"""Password hashes: argon2id in threads of its own, a few at a time, so that logins never stop the event loop or fill the memory."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Argon2id with 19 MiB, 2 passes, 1 lane: the OWASP Password Storage Cheat Sheet's recommendation. About 30 ms on one core."""

AT_ONCE: Final = 2
"""Hashes that one worker computes at a time: 38 MiB, and two cores at most."""

MOST_WAITING: Final = 64
"""Beyond so many, a login would wait for longer than its client does; it is refused at once instead."""

Result = TypeVar("Result")


class PasswordsBusyError(Exception):
    """More passwords are waiting to be checked than can be in a reasonable time. Worth another try later."""


_threads: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
_NOBODYS: Final = HASHER.hash(secrets.token_urlsafe())
"""Checked against where there is no account, so that the answer takes as long as for one that exists."""


class _Queue:
    length = 0


async def hash_password(password: str) -> str:
    """The form in which a password is stored. Raises PasswordsBusyError."""
    return await _run(lambda: HASHER.hash(password))


async def matches(password: str, stored: str | None) -> bool:
    """Whether it is the password that was stored. Without a stored one the answer is no, after the same work. Raises PasswordsBusyError."""
    return await _run(lambda: _verify(password, stored or _NOBODYS)) and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether it was stored with weaker parameters than today's; renew it while the password is at hand."""
    return HASHER.check_needs_rehash(stored)


def _verify(password: str, stored: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


async def _run(work: Callable[[], Result]) -> Result:
    if _Queue.length >= MOST_WAITING:
        raise PasswordsBusyError("Too many passwords are waiting to be checked")
    _Queue.length += 1
    future = _threads.submit(work)
    future.add_done_callback(lambda _: _leave())
    return await asyncio.wrap_future(future)


def _leave() -> None:
    _Queue.length -= 1
