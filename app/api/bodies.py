"""Bounds the body of reported events, before anything is made of it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from app.api.deps import Resources
from app.domain.client_events import count_refused


class EventsBodyRoute(APIRoute):
    """Answers 413 to a body that is longer than EVENTS_MAX_BODY_BYTES, having read no more than that; counts bodies that can't be read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with a bound around what it reads."""
        handler = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            resources: Resources = request.app.state.resources
            limit = resources.settings.events_max_body_bytes
            announced = request.headers.get("content-length", "")
            if announced.isdigit() and int(announced) > limit:
                raise _too_long(limit)
            try:
                return await handler(Request(request.scope, _bounded(request.receive, limit)))
            except RequestValidationError:
                count_refused("malformed")
                raise

        return bounded


def _bounded(receive: Receive, limit: int) -> Receive:
    read = 0

    async def receive_bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise _too_long(limit)
        return message

    return receive_bounded


def _too_long(limit: int) -> HTTPException:
    return HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"The body has more than {limit} bytes. Send fewer events at once.")
