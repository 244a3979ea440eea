"""What can go wrong between us and the database, told without values.

Drivers quote values in their messages (`Key (email)=(…) already exists`).
Logs, traces and error events must not have them, so the messages are rewritten
where they first appear.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

ConnectFailure = Literal["unreachable", "refused", "timeout", "pool_exhausted"]

_SPEAKS_OF_VALUES: Final = re.compile(r"^(22|23|P0)")
"""SQLSTATE classes whose messages quote data: data exceptions, broken constraints, messages of stored procedures."""

_QUOTED_ARGUMENT: Final = re.compile(r"(invalid input for query argument \$\d+).*", re.DOTALL)
"""What asyncpg says about an argument that it can't send, up to the argument itself."""


class DatabaseBusyError(Exception):
    """Every connection of the pool stayed in use for as long as a request may wait. Worth another try later."""


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE code that the server gave, somewhere along the chain of causes."""
    codes = (getattr(link, "sqlstate", None) for link in _chain(error))
    return next((code for code in codes if isinstance(code, str)), None)


def connect_failure(error: BaseException) -> ConnectFailure:
    """Why no connection could be had, as a short name."""
    if isinstance(error, (DatabaseBusyError, PoolTimeout)):
        return "pool_exhausted"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "refused" if sqlstate(error) else "unreachable"


def tidy(error: BaseException) -> None:
    """Rewrite the messages of a driver's exception and of its causes: none quotes data, and a time-out says what it is."""
    if isinstance(error, TimeoutError) and not str(error):
        error.args = ("The database did not answer in time",)
    code = sqlstate(error)
    quotes = code is not None and _SPEAKS_OF_VALUES.match(code) is not None
    for link in _chain(error):
        if isinstance(getattr(link, "detail", None), str):
            link.detail = None  # type: ignore[attr-defined]
        if link.args and isinstance(link.args[0], str):
            text = f"{type(link).__name__} {code}{_constraint(error)}" if quotes else _QUOTED_ARGUMENT.sub(r"\1", link.args[0])
            link.args = (text, *link.args[1:])


def _constraint(error: BaseException) -> str:
    names = (getattr(link, "constraint_name", None) for link in _chain(error))
    found = next((name for name in names if isinstance(name, str)), None)
    return f" on {found}" if found else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        link = queue.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        queue += [link.__cause__, link.__context__]
        if isinstance(link, DBAPIError):
            queue.append(link.orig)
