"""The backend: settings, clients, observability, endpoints.

`uvicorn app.main:app` runs with an empty environment: SQLite, no Redis, no
Elasticsearch, no Jaeger, records on standard output.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from app.api.call_errors import install_call_answers
from app.api.cors import allow_origins
from app.api.deps import Resources
from app.api.errors import ERROR_RESPONSES, install_error_answers
from app.api.routes import api_router
from app.clients.cache import FeedCache
from app.clients.calls import CallStages
from app.clients.limits import RateLimiter
from app.clients.redis import RedisClient
from app.clients.voice import VoiceClient
from app.core.config import Settings, get_settings
from app.core.kit import Observability, background, made_when_asked_for
from app.core.security import signing_secret
from app.db.engine import Database
from app.db.events import store_events
from app.db.migrate import upgrade_trial_database
from app.domain.calls import sweep_forgotten
from app.domain.chat import Chat
from app.domain.event_retention import forget_old_events
from app.domain.login_limit import LoginLimit

DESCRIPTION = """
The reference backend of Nöbet. Every answer carries `X-Request-ID`: send your own id in `X-Event-ID` or `X-Request-ID`
(1 to 128 letters, digits, dots, dashes, underscores) or take the one that was made for you. `nobet story <id>` shows
what happened under it, in every service.

All endpoints are also reachable below `/api`.
"""

TAGS = [
    {"name": "accounts", "description": "Who is signed in. Send the access token as `Authorization: Bearer …`."},
    {"name": "feed", "description": "Posts, newest first."},
    {"name": "posts", "description": "Store, read and delete posts."},
    {"name": "chat", "description": "Talk to others over a WebSocket."},
    {"name": "comments", "description": "What people say about posts."},
    {"name": "images", "description": "Generated images, profile pictures and banners; kept by clients and a CDN for half an hour."},
    {"name": "graphql", "description": "The feed for clients that prefer GraphQL; the same services behind it."},
    {
        "name": "calls",
        "description": "Voice calls: turns through speech recognition, language model and speech synthesis, and business tasks.",
    },
    {"name": "suggestions", "description": "A second service, whose failures are worth watching."},
    {"name": "faults", "description": "Fail on purpose, to see that somebody notices. Off in production."},
]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings, those of the environment."""
    settings = settings or get_settings()
    signing_secret(settings)  # without a key nobody can sign in: better known now than at the first login
    obs = Observability("app", settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        resources = _connect(settings)
        _watch(obs, resources)
        obs.analytics.add_store("postgres", partial(store_events, resources.database))
        app.state.resources = resources
        try:
            await upgrade_trial_database(resources.database)
            async with (
                obs.running(),
                background(forget_old_events(resources.database, settings.events_retention_days)),
                background(resources.chat.run()),
                background(sweep_forgotten(resources.database, settings.call_idle_seconds)),
            ):
                yield
        finally:
            await resources.close()

    app = FastAPI(
        title="Nöbet reference backend",
        version=settings.app_version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        responses=ERROR_RESPONSES,
    )
    obs.install(app)
    allow_origins(app, settings)
    install_error_answers(app)
    install_call_answers(app)
    app.include_router(api_router(settings))
    app.include_router(api_router(settings), prefix="/api", include_in_schema=False)
    return app


def _connect(settings: Settings) -> Resources:
    """Nothing is opened yet: an absent database or Redis delays no start, it shows in the health checks."""
    redis = RedisClient.from_settings(settings)
    return Resources(
        settings=settings,
        database=Database(settings),
        redis=redis,
        voice=VoiceClient(settings),
        calls=CallStages(settings),
        cache=FeedCache(redis, settings),
        limiter=RateLimiter(redis, settings),
        events_limiter=RateLimiter(redis, settings.model_copy(update={"rate_limit_per_minute": settings.events_requests_per_minute})),
        logins=LoginLimit(settings, redis),
        chat=Chat(settings, redis),
    )


def _watch(obs: Observability, resources: Resources) -> None:
    obs.health.register("database", resources.database.ping)
    if resources.redis is not None:
        obs.health.register("redis", resources.redis.ping)
    if resources.voice.configured:
        obs.health.register("voice", resources.voice.ping)


__getattr__ = made_when_asked_for(globals(), create_app)
