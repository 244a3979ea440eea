"""What endpoints ask for, as annotated aliases. Made once per process in `app.main`, kept on `app.state`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.clients.redis import RedisClient
from app.clients.voice import VoiceClient
from app.core.config import Settings
from app.db.engine import Database


@dataclass(frozen=True, slots=True)
class Resources:
    """The long-lived things of one process."""

    settings: Settings
    database: Database
    redis: RedisClient | None
    voice: VoiceClient

    async def close(self) -> None:
        """Close what is open."""
        await self.voice.close()
        if self.redis is not None:
            await self.redis.close()
        await self.database.close()


# Dependencies are coroutines, because FastAPI runs plain functions in threads.
async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _database(resources: ResourcesDep) -> Database:
    return resources.database


async def _settings(resources: ResourcesDep) -> Settings:
    return resources.settings


async def _voice(resources: ResourcesDep) -> VoiceClient:
    return resources.voice


DatabaseDep = Annotated[Database, Depends(_database)]
SettingsDep = Annotated[Settings, Depends(_settings)]
VoiceDep = Annotated[VoiceClient, Depends(_voice)]
