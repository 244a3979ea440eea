"""What the database holds of a user's tracked events, in plain SQL: whoever erases knows no models."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings

TIMEOUT_SECONDS: Final = 60

_COUNT: Final = text("SELECT count(*) FROM tracked_events WHERE user_ref IN :refs").bindparams(bindparam("refs", expanding=True))
_DELETE: Final = text("DELETE FROM tracked_events WHERE user_ref IN :refs").bindparams(bindparam("refs", expanding=True))


class RowsError(Exception):
    """The database could not be asked. One sentence that says what to do, without the address, which has a password in it."""


class UserRows:
    """The rows of one user. Every method raises RowsError."""

    def __init__(self, settings: Settings, user_refs: Sequence[str]) -> None:
        self._url = settings.database_url.get_secret_value()
        self._refs = list(user_refs)

    def count(self) -> int:
        """How many rows there are now."""
        return int(self._run(_COUNT).scalar_one())

    def delete(self) -> int:
        """Delete them all in one transaction; returns how many went."""
        return int(self._run(_DELETE).rowcount)

    def _run(self, statement: Any) -> Any:
        try:
            return asyncio.run(asyncio.wait_for(self._ask(statement), TIMEOUT_SECONDS))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise RowsError(f"The database can't be asked ({type(error).__name__}). Start it, or check DATABASE_URL.") from None

    async def _ask(self, statement: Any) -> Any:
        engine = create_async_engine(self._url, poolclass=NullPool, hide_parameters=True)
        try:
            async with engine.begin() as connection:
                return await connection.execute(statement, {"refs": self._refs})
        finally:
            await engine.dispose()
