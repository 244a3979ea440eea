"""The tracking of a process, its database and its way to Elasticsearch, each real; and what arrived at both ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from app.core import analytics
from app.core.analytics import Tracker
from app.core.config import Settings, load_settings
from app.db.engine import Database
from app.db.events import store_events
from tests.support.newborn import once_it_is_born
from tests.support.servers import Postgres
from tests.support.shipping import Shipping
from tests.support.tracked import KEY
from tests.support.waiting import wait_until

ARRIVAL_SECONDS: Final = 180


class Tracking:
    """A tracker over one shipping line and one database."""

    def __init__(self, shipping: Shipping, postgres: Postgres) -> None:
        self.shipping: Final = shipping
        self.postgres: Final = postgres
        self.events: Final = shipping.events_prefix
        self.values: Final[dict[str, Any]] = {
            "spool_dir": shipping.spool,
            "database_url": postgres.url,
            "analytics_key": KEY,
            "analytics_flush_seconds": 0.1,
            "analytics_shutdown_seconds": 60,  # however busy the machine is: what was tracked is stored
            "log_index_prefix": shipping.prefix,
            "elasticsearch_url": shipping.url,
            "elasticsearch_cleanup_password": shipping.stack.sign_in("cleanup")[1],
            "environment": "test",
            "log_stdout": False,
        }

    def settings(self, **overrides: Any) -> Settings:
        """What the processes of this test get."""
        return load_settings(_env_file=None, **(self.values | overrides))

    @asynccontextmanager
    async def running(self, **overrides: Any) -> AsyncIterator[Tracker]:
        """Track for as long as the block lasts; at its end all that waits has been stored."""
        settings = self.settings(**overrides)
        database = Database(settings)
        tracker = analytics.setup(settings, "app")
        tracker.add_store("postgres", partial(store_events, database))
        try:
            async with tracker.running():
                yield tracker
        finally:
            await database.close()

    def track(self, *events: tuple[str, str, dict[str, Any]], **overrides: Any) -> None:
        """Track events (user, type, properties) in a process life of their own."""

        async def work() -> None:
            async with self.running(**overrides):
                for user, name, properties in events:
                    analytics.track_event(user, name, properties)

        asyncio.run(work())

    def rows(self, where: str = "true") -> int:
        """Rows in PostgreSQL."""
        return int(self.postgres.ask(f"SELECT count(*) FROM tracked_events WHERE {where}"))  # noqa: S608 (a test's own text)

    def documents(self) -> list[dict[str, Any]]:
        """All tracked events in Elasticsearch."""
        self.shipping.count(self.events)
        admin = self.shipping.admin
        page = once_it_is_born(lambda: admin.search(index=f"{self.events}-*", size=10_000, scroll="1m", ignore_unavailable=True))
        found: list[dict[str, Any]] = []
        while hits := page["hits"]["hits"]:
            found += [hit["_source"] for hit in hits]
            page = admin.scroll(scroll_id=page["_scroll_id"], scroll="1m")
        admin.clear_scroll(scroll_id=page["_scroll_id"])
        return found

    def wait_for(self, events: int) -> None:
        """Wait until Elasticsearch has so many, and fail when it gets more."""
        wait_until(f"{events} events are in Elasticsearch", lambda: self.shipping.count(self.events) >= events, ARRIVAL_SECONDS)
        self.shipping.wait_drained()
        assert self.shipping.count(self.events) == events

    def everything(self) -> str:
        """All that both stores have of tracked events, as one text to search in."""
        rows = self.postgres.ask("SELECT coalesce(json_agg(tracked_events)::text, '') FROM tracked_events")
        return rows + json.dumps(self.documents())
