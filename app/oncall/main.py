"""The on-call service as a web application: `python -m app.core.serve app.oncall.main:app --service oncall`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from app.core import context
from app.core.config import Settings, get_settings
from app.core.kit import Observability, made_when_asked_for
from app.oncall.service import Service
from app.oncall.web import api, pages
from app.oncall.web.access import Doorkeeper

STATIC: Final = Path(__file__).with_name("static")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings, those of the environment."""
    settings = settings or get_settings()
    obs = Observability("oncall", settings)
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            async with obs.running():
                yield
        finally:
            await service.stop()

    app = FastAPI(
        title="Nöbet on-call",
        version=settings.app_version,
        description="Takes alerts, tells people, and goes on until somebody answers.",
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.doorkeeper = Doorkeeper(settings.oncall_password, settings.oncall_link_key)
    obs.health.register("database", service.store.ping)
    obs.install(app)
    app.add_exception_handler(pages.SignInNeeded, _to_sign_in)
    app.add_exception_handler(RequestValidationError, _bad_parameters)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    return app


async def _static(name: str) -> Response:
    """Style sheet and script: two files, named here, so that no path leads elsewhere."""
    if name not in ("oncall.css", "oncall.js"):
        return JSONResponse({"detail": "Not Found", "request_id": context.request_id()}, 404)
    return FileResponse(STATIC / name, headers={"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"})


async def _to_sign_in(_: Request, __: Exception) -> Response:
    return RedirectResponse("/sign-in", 303)


async def _bad_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette hands over what was registered
    names = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors())
    return JSONResponse({"detail": f"Not usable: {names}", "request_id": context.request_id()}, 400)


__getattr__ = made_when_asked_for(globals(), create_app)
