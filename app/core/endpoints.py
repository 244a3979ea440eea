"""The endpoints that every service has: /metrics and health, with and without the closing slash."""

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from app.core import metrics
from app.core.config import Settings
from app.core.security import bearer_matches

if TYPE_CHECKING:
    from app.core.health_monitor import HealthMonitor

METRICS: Final = ("/metrics", "/metrics/")
HEALTH: Final = ("/health", "/health/", "/health/ready", "/api/health")
LIVE: Final = "/health/live"
PATHS: Final = (*METRICS, *HEALTH, LIVE)
"""What the router serves."""

Authorization = Annotated[str | None, Header(include_in_schema=False)]


def make_router(settings: Settings, monitor: "HealthMonitor") -> APIRouter:
    """The router with these endpoints."""
    router = APIRouter()
    open_doors = settings.is_trial and not settings.metrics_token.get_secret_value()

    def may_see(authorization: str | None) -> bool:
        return open_doors or bearer_matches(authorization, settings.metrics_token)

    def serve_metrics(request: Request, authorization: Authorization = None) -> Response:
        """Metrics of all workers for Prometheus; needs the bearer token METRICS_TOKEN where one is set."""
        if not may_see(authorization):
            raise HTTPException(401, "Send the metrics token as a bearer token", {"WWW-Authenticate": "Bearer"})
        body, content_type = metrics.exposition(request.headers.get("accept"))
        return Response(body, media_type=content_type)

    async def health(authorization: Authorization = None) -> Response:
        """Whether the service and what it can't do without work: 200 or 503. Details only with the metrics token."""
        report = await monitor.report()
        body: dict[str, Any] = report.as_body(with_details=may_see(authorization) and bool(authorization or open_doors))
        return JSONResponse(body, status_code=200 if report.healthy else 503, headers={"Cache-Control": "no-store"})

    async def live() -> dict[str, str]:
        """Whether the process runs. Looks at nothing else, so that a sick database restarts no healthy worker."""
        return {"status": "ok"}

    if settings.metrics_enabled:
        for path in METRICS:
            router.add_api_route(path, serve_metrics, tags=["metrics"], include_in_schema=path == "/metrics", response_class=Response)
    for path in HEALTH:
        router.add_api_route(path, health, tags=["health"], include_in_schema=not path.endswith("health/"), response_class=JSONResponse)
    router.add_api_route(LIVE, live, tags=["health"])
    return router
