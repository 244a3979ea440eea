"""One module per subject. `api_router` puts them together."""

from fastapi import APIRouter

from app.api.routes import faults, feed, posts, suggest
from app.core.config import Settings


def api_router(settings: Settings) -> APIRouter:
    """All endpoints of this process. Those that fail on purpose are there only where they are enabled."""
    router = APIRouter()
    for module in (feed, posts, suggest):
        router.include_router(module.router)
    if settings.error_endpoints_enabled:
        router.include_router(faults.router)
    return router
