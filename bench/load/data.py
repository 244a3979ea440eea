"""What the measured endpoints read, and what the measured logging wrote."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from elasticsearch import Elasticsearch
from sqlalchemy import delete, select

from app.clients.elasticsearch import connect
from app.core.config import load_settings
from app.db.engine import Database
from app.db.models import Post
from app.stack.stack import Stack
from bench.load.servers import PREFIX

AUTHOR: Final = "bench-load"
POSTS: Final = 100
BODY: Final = "All quiet since midnight. " * 8
DRAIN_SECONDS: Final = 120.0
FEWEST: Final = 1000
"""Documents; with fewer an index is mostly overhead."""


@asynccontextmanager
async def posts(database_url: str) -> AsyncIterator[list[int]]:
    """Ids of posts to read, for as long as the block lasts."""
    database = Database(load_settings(_env_file=None, database_url=database_url))
    try:
        async with database.session() as session:
            await session.execute(delete(Post).where(Post.author_id == AUTHOR))  # of a run that was killed
            session.add_all([Post(author_id=AUTHOR, title=f"Night {number}", body=BODY) for number in range(POSTS)])
            await session.flush()
            found = list(await session.scalars(select(Post.id).where(Post.author_id == AUTHOR)))
        yield found
    finally:
        async with database.session() as session:
            await session.execute(delete(Post).where(Post.author_id == AUTHOR))
        await database.close()


def written(exposition: str) -> dict[str, float]:
    """Requests answered, records and bytes written so far, from the text of /metrics."""
    names = {"requests": "http_requests_total", "records": "log_records_emitted_total", "bytes": "log_spool_bytes_written_total"}
    return {key: sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", exposition, re.MULTILINE))) for key, name in names.items()}


class Index:
    """The records of the measured app in Elasticsearch."""

    def __init__(self, stack: Stack) -> None:
        self._client: Final[Elasticsearch] = connect(
            stack.url("elasticsearch"), ("nobet_admin", stack.secret("ELASTICSEARCH_ADMIN_PASSWORD")), timeout=60
        )

    def wait_for(self, records: int) -> int:
        """Wait, for a bounded time, until so many records of the app are there; their number."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while (found := self._count()) < records and time.monotonic() < deadline:
            time.sleep(1)
        return found

    def bytes_per_record(self, pattern: str = f"{PREFIX}-*") -> float | None:
        """Disk space of a record, after the segments were merged; None where too few are there to tell."""
        self._client.indices.forcemerge(index=pattern, max_num_segments=1)
        stats: dict[str, Any] = self._client.indices.stats(index=pattern, metric="store,docs")["_all"]["primaries"]
        documents = stats.get("docs", {}).get("count", 0)
        return stats["store"]["size_in_bytes"] / documents if documents >= FEWEST else None

    def remove(self) -> None:
        """Remove the indices and their template."""
        for name in self._client.indices.get(index=f"{PREFIX}-*"):
            self._client.indices.delete(index=name)
        for template in self._client.indices.get_index_template(name=f"{PREFIX}*")["index_templates"]:
            self._client.indices.delete_index_template(name=template["name"])
        self._client.close()

    def _count(self) -> int:
        self._client.indices.refresh(index=f"{PREFIX}-*")
        return int(self._client.count(index=f"{PREFIX}-*", query={"term": {"service_name": "app"}})["count"])
