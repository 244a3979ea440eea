"""One module per subject. `api_router` puts them together."""

from fastapi import APIRouter, Depends

from app.api.limits import rate_limit
from app.api.routes import auth, calls, chat, comments, events, faults, feed, images, posts, profile, suggest
from app.api.routes.graphql import graphql_router
from app.core.config import Settings


def api_router(settings: Settings) -> APIRouter:
    """All endpoints of this process. Those that fail on purpose are there only where they are enabled."""
    router = APIRouter(dependencies=[Depends(rate_limit)])
    for module in (auth, profile, feed, posts, comments, images, suggest, chat, calls, events):
        router.include_router(module.router)
    router.include_router(graphql_router(settings))
    if settings.error_endpoints_enabled:
        router.include_router(faults.router)
    return router
