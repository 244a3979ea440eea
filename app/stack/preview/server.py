"""The page's server: its files, the dashboards, and a way through to the stores for reading. On the loopback interface only.

Passwords stay here. A page of somebody else in the same browser gets nothing: the name that it would have to use for this
server is refused, and so is a request that says it comes from another page.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.stack.preview.calls import LARGEST_BODY, RefusedError, call_of
from app.stack.preview.sources import Source

ANSWER_SECONDS: Final = 30.0
"""Grafana gives a data source as long before it says that it timed out."""

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Page:
    """What is shown: the built page, the folder of the dashboards, the data sources by uid."""

    bundle: Path
    dashboards: Path
    sources: Mapping[str, Source]


def preview_app(page: Page, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The server's application. `transport` replaces the network, for tests."""
    client = httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False, transport=transport)

    @asynccontextmanager
    async def closing(_app: Starlette) -> Any:
        async with client:
            yield

    async def index(_request: Request) -> Response:
        return FileResponse(page.bundle / "index.html", headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/d/{rest:path}", index),
            Route("/explore", index),
            Route("/preview/boot", _boot(page)),
            Route("/preview/dashboards/{uid}", _dashboard(page)),
            Route("/preview/sources/{uid}/{path:path}", _through(page.sources, client), methods=["GET", "POST"]),
            Mount("/", StaticFiles(directory=page.bundle)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
            Middleware(_Guard),
            Middleware(GZipMiddleware, minimum_size=4096),
        ],
        lifespan=closing,
    )


Endpoint = Callable[[Request], Awaitable[Response]]


def _boot(page: Page) -> Endpoint:
    async def boot(_request: Request) -> Response:
        boards = [
            {"uid": board["uid"], "title": board["title"], "description": board.get("description", ""), "tags": board.get("tags", [])}
            for board in _boards(page.dashboards).values()
        ]
        body = {"sources": [source.as_public() for source in page.sources.values()], "dashboards": boards}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    return boot


def _dashboard(page: Page) -> Endpoint:
    async def dashboard(request: Request) -> Response:
        board = _boards(page.dashboards).get(request.path_params["uid"])
        if board is None:
            return _refusal(404, "There is no such dashboard in grafana/dashboards.")
        return JSONResponse(board, headers={"Cache-Control": "no-store"})

    return dashboard


def _boards(folder: Path) -> dict[str, dict[str, Any]]:
    """Uid → dashboard, by title. Read each time, so that a regenerated one shows after a reload."""
    boards = [orjson.loads(path.read_bytes()) for path in folder.glob("*.json")]
    return {board["uid"]: board for board in sorted(boards, key=lambda board: str(board["title"]))}


def _through(sources: Mapping[str, Source], client: httpx.AsyncClient) -> Endpoint:
    async def through(request: Request) -> Response:
        source = sources.get(request.path_params["uid"])
        if source is None:
            return _refusal(404, "There is no such data source.")
        try:
            body = await _body(request)
            call = call_of(
                source, request.method, request.path_params["path"], request.url.query, body, request.headers.get("content-type", "")
            )
        except RefusedError as error:
            return _refusal(403, str(error))
        auth = httpx.BasicAuth(*source.secret) if source.secret else None
        headers = {"Content-Type": call.content_type} if call.body else {}
        try:
            answer = await client.request(call.method, call.url, content=call.body or None, headers=headers, auth=auth)
        except httpx.HTTPError as error:
            return _refusal(502, f"{source.name} did not answer ({type(error).__name__}). Is the stack up? `nobet status` tells.")
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type", "application/json"))

    return through


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise RefusedError(f"The request is larger than {LARGEST_BODY} bytes.")
    return body


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"status": "error", "error": sentence}, status)


class _Guard:
    """Refuses requests that other pages make, and tells browsers to run nothing but our own files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host', '')}":
            await _refusal(403, "This server answers its own page only.")(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self._app(scope, receive, guarded)
