"""What a database failure says about itself."""

from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.db.errors import DatabaseBusyError, connect_failure, sqlstate, tidy


def _server_error(kind: Any, message: str, **fields: str) -> Any:
    error: Any = kind(message)
    for name, value in fields.items():
        setattr(error, name, value)
    return error


def _wrapped(original: Exception) -> DBAPIError:
    return DBAPIError("INSERT INTO people (email) VALUES ($1)", ("a@example.org",), original, hide_parameters=True)


def _everything_said(error: BaseException | None) -> str:
    said = []
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__ or getattr(error, "orig", None)
    return " ".join(said)


@pytest.mark.req("DBQ-07", "PRV-02")
@pytest.mark.parametrize(
    "original",
    [
        _server_error(
            asyncpg.UniqueViolationError,
            'duplicate key value violates unique constraint "people_email"',
            detail="Key (email)=(a@example.org) already exists.",
            constraint_name="people_email",
        ),
        _server_error(asyncpg.InvalidTextRepresentationError, 'invalid input syntax for type bigint: "a@example.org"'),
        asyncpg.DataError("invalid input for query argument $1: 'a@example.org' (expected int)"),
    ],
)
def test_no_value_is_left_in_any_message_of_the_chain(original: Exception) -> None:
    """Neither the wrapped exception nor its causes quote what somebody entered."""
    error = _wrapped(original)
    error.__cause__ = original
    assert "a@example.org" in _everything_said(error)
    tidy(error)
    assert "a@example.org" not in _everything_said(error)
    assert type(original).__name__.startswith(("Unique", "Invalid", "Data"))


def test_the_name_of_a_broken_constraint_stays() -> None:
    """Which rule was broken is worth knowing and is no data."""
    original = _server_error(asyncpg.UniqueViolationError, "…", constraint_name="people_email")
    error = _wrapped(original)
    tidy(error)
    assert "23505" in str(error)
    assert "people_email" in str(error)


def test_messages_about_the_server_stay() -> None:
    """An error that speaks of the schema or the server is passed on as it is."""
    error = _server_error(asyncpg.UndefinedTableError, 'relation "posts" does not exist')
    tidy(error)
    assert str(error) == 'relation "posts" does not exist'


def test_a_time_out_says_what_it_is() -> None:
    """The driver's time-out has no text of its own."""
    error = TimeoutError()
    tidy(error)
    assert str(error) == "The database did not answer in time"


def test_tidying_twice_or_a_cycle_of_causes_ends() -> None:
    """Exceptions may refer to one another in a circle."""
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    tidy(first)
    tidy(first)
    assert str(first) == "a"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(111, "refused"), "unreachable"),
        (OSError("no route"), "unreachable"),
        (TimeoutError(), "timeout"),
        (PoolTimeout(), "pool_exhausted"),
        (DatabaseBusyError("busy"), "pool_exhausted"),
        (asyncpg.CannotConnectNowError("the database system is starting up"), "refused"),
        (_wrapped(asyncpg.InvalidPasswordError("no")), "refused"),
    ],
)
def test_the_reason_of_a_missing_connection_is_a_declared_label(error: Exception, reason: str) -> None:
    """Each kind of failure has one of the four names that the contract declares."""
    assert connect_failure(error) == reason


def test_the_sqlstate_is_found_behind_wrappers() -> None:
    """SQLAlchemy wraps the driver's exception; the code is still there."""
    assert sqlstate(_wrapped(asyncpg.UndefinedTableError("x"))) == "42P01"
    assert sqlstate(ValueError("x")) is None
