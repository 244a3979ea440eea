"""One pure-ASGI middleware for everything that is to be known about a request.

Outermost of the application's own: it clears and rebinds the context, takes or
makes the id, starts the trace, echoes the id on every answer, turns an
unhandled exception into a 500 that carries the id, and writes exactly one
terminal record however the request ends. WebSockets get the same treatment.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect

from app.core import context, error_tracking, metrics, tracing
from app.core.config import Settings
from app.core.correlation import CALL_HEADER, Correlation, Correlator, call_sid_of, echo_headers
from app.core.logger import INFO, get_logger
from app.core.masking import clean
from app.core.quick_metrics import adder
from app.core.requests import Recorder, Request, RequestWatch, client_gone, own_place, report_status
from app.core.websockets import Sockets

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_PATH: Final = 1024
"""Characters of a path that are logged."""

LONGEST_METHOD: Final = 16

log = get_logger("app.request")


class ObservabilityMiddleware:
    """Id, context, trace, records, metrics and error answers for all requests of an application."""

    def __init__(self, app: ASGIApp, *, settings: Settings, watch: RequestWatch) -> None:
        self._app = app
        self._watch = watch
        self._correlator = Correlator(settings.correlation_headers)
        self._recorder = Recorder()
        self._wanted = frozenset({b"traceparent", b"user-agent", CALL_HEADER, *self._correlator.names})
        self._log_start = settings.log_request_start
        self._count_in_progress = adder(metrics.gauge("http_requests_in_progress"))
        self._sockets = Sockets(app, self._recorder)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request or connection."""
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        if scope["type"] == "websocket":
            return self._websocket(scope, receive, send)
        return self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        correlation, request, token = self._begin(scope, scope["method"][:LONGEST_METHOD])
        answer = _with_id(request, send, echo_headers(correlation))
        self._enter(request)
        try:
            await self._app(scope, receive, answer)
            if client_gone(receive):
                request.outcome, request.reason = "cancelled", "client_gone"
        except asyncio.CancelledError as error:
            request.place = own_place(error)
            if request.outcome != "timed_out":
                request.outcome, request.reason = "cancelled", "server_stopping"
                raise
            request.reason = "time_limit"
            await self._answer_timeout(request, answer)
        except ClientDisconnect:
            request.outcome, request.reason = "cancelled", "client_gone"  # nobody is left to answer, and nothing of ours failed
        except Exception as error:
            request.error, request.outcome = error, "failed"
            if request.answered:
                raise  # half an answer is out: only the server can break the connection off
            await _answer(answer, 500, "Internal Server Error", correlation.request_id)
        finally:
            self._leave(request)
            context.restore(token)

    def _enter(self, request: Request) -> None:
        self._watch.enter(request)
        if not request.internal:
            self._count_in_progress(1)
            if self._log_start and log.is_enabled_for(INFO):
                log.info(f"{request.method} {request.path}", event="http.request.started")

    def _leave(self, request: Request) -> None:
        self._watch.leave(request)
        if not request.internal:
            self._count_in_progress(-1)
        report_status(request)
        self._recorder.finish(request)

    async def _answer_timeout(self, request: Request, send: Send) -> None:
        if request.task is not None:
            request.task.uncancel()
        if not request.answered:
            await _answer(send, 504, "The server took too long to answer", context.request_id() or "")

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        correlation, request, token = self._begin(scope, "WEBSOCKET")
        try:
            await self._sockets.serve(request, correlation, receive, send)
        finally:
            context.restore(token)

    def _begin(self, scope: Scope, method: str) -> tuple[Correlation, Request, Any]:
        """Clear the context, bind what is known, and warn about an id that could not be used."""
        wanted = self._wanted
        headers = [header for header in scope["headers"] if header[0] in wanted]
        correlation = self._correlator.read(headers)
        traceparent = user_agent = call = None
        for name, value in headers:
            if name == b"user-agent":
                user_agent = value
            elif name == b"traceparent":
                traceparent = value.decode("latin-1")
            elif name == CALL_HEADER:
                call = value
        path = clean(scope["path"][:LONGEST_PATH])
        trace = tracing.begin(traceparent, method, path)
        fields = context.Fields(request_id=correlation.request_id, trace_id=trace.trace_id, span_id=trace.span_id, method=method, path=path)
        if call_sid := call_sid_of(path, call):
            fields["call_sid"] = call_sid
        if correlation.client_request_id:
            fields["client_request_id"] = correlation.client_request_id
        token = context.replace(fields)
        error_tracking.begin_request(user_agent)
        scope.setdefault("state", {})["correlation_id"] = correlation.request_id
        if correlation.rejected:
            log.warning("A request id from outside was not usable", event="http.request.id_rejected", reason=correlation.rejected)
        return correlation, Request(scope, method, path, trace), token


def _with_id(request: Request, send: Send, echo: list[tuple[bytes, bytes]]) -> Send:
    """The server's send, with the id added to the answer's head, and status and size noted."""

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            request.status = message["status"]
            request.first_byte = time.perf_counter()
            message["headers"] = [*message.get("headers", ()), *echo]
        elif message["type"] == "http.response.body":
            request.bytes += len(message.get("body", b""))
        await send(message)

    return send_with_id


async def _answer(send: Send, status: int, detail: str, request_id: str) -> None:
    body = orjson.dumps({"detail": detail, "request_id": request_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
