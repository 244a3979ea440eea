"""The door through which clients send what people do."""

import datetime as dt
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from app.api.bodies import EventsBodyRoute
from app.api.deps import OptionalUserDep, ResourcesDep
from app.api.errors import NEEDS_TOKEN, ErrorAnswer
from app.core.analytics import tracker
from app.core.answers import BadParameter, error_answer
from app.core.telemetry.tracked import TRACKED
from app.domain.client_events import Reported, count_refused, take_events
from app.domain.tokens import Claims

_MOST_PROPERTIES: Final = 32

router = APIRouter(tags=["events"], route_class=EventsBodyRoute)


class EventReported(BaseModel):
    """Something that a user did."""

    model_config = ConfigDict(extra="forbid")

    event_type: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description=f"One of: {', '.join(sorted(TRACKED))}. docs/telemetry.md lists their properties.", examples=["message_sent"]
    )
    properties: dict[str, str | bool | int | float | None] = Field(
        default_factory=dict, max_length=_MOST_PROPERTIES, examples=[{"chat_id": "7", "message_length": 42}]
    )
    time: AwareDatetime | None = Field(
        None, description="When it happened, with its zone. Times in the future and from too long ago are moved into bounds. Empty: now."
    )
    id: UUID | None = Field(None, description="Yours, so that PostgreSQL keeps an event that you send again only once. Empty: made here.")
    correlation_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = Field(
        None, description="X-Event-ID of the request that it belongs to. Empty: that of this request.", examples=["abc123"]
    )


class EventsReported(BaseModel):
    """A batch of events from one client."""

    model_config = ConfigDict(extra="forbid")

    source: Literal["web", "mobile"] = Field("web", description="Kind of client.")
    events: list[EventReported] = Field(min_length=1, description="At most EVENTS_MAX_PER_REQUEST.")


class EventsTaken(BaseModel):
    """What became of the batch."""

    accepted: int = Field(examples=[2])
    refused: int = Field(examples=[1])
    clamped: int = Field(description="Accepted events whose time was moved into bounds.", examples=[0])
    refusals: list[BadParameter] = Field(description="Where and why. Sending these again is of no use.")


async def _not_too_often(request: Request, resources: ResourcesDep, user: OptionalUserDep) -> Claims | None:
    caller = f"user:{user.user_id}" if user else f"address:{request.client.host if request.client else ''}"
    allowance = await resources.events_limiter.take(f"events:{caller}")
    if not allowance.allowed:
        count_refused("rate_limited")
        detail = "You are sending events too often. Put more of them into one request."
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, detail, {"Retry-After": str(allowance.retry_after)})
    return user


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **NEEDS_TOKEN,
    400: {"model": ErrorAnswer, "description": "The body is malformed, or no event of it can be taken (`code`: `events_refused`)."},
    413: {"model": ErrorAnswer, "description": "The body is longer than EVENTS_MAX_BODY_BYTES."},
}


@router.post("/events", status_code=status.HTTP_202_ACCEPTED, responses=_RESPONSES, response_model=EventsTaken)
async def report_events(
    batch: EventsReported, resources: ResourcesDep, user: Annotated[Claims | None, Depends(_not_too_often)]
) -> EventsTaken | JSONResponse:
    """Take events of a client. They are stored soon after the answer; with a token under the user's pseudonym, without one under none."""
    settings = resources.settings
    if len(batch.events) > settings.events_max_per_request:
        count_refused("malformed", len(batch.events))
        return _refused([("body.events", f"has more than {settings.events_max_per_request} events")])
    reported = [Reported(e.event_type, e.properties, e.time, e.id, e.correlation_id) for e in batch.events]
    oldest = dt.timedelta(hours=settings.events_oldest_hours)
    taken = take_events(tracker(), user.user_id if user else None, batch.source, reported, oldest)
    if not taken.accepted:
        return _refused(taken.refusals)
    refusals = [BadParameter(parameter=where, problem=problem) for where, problem in taken.refusals]
    return EventsTaken(accepted=taken.accepted, refused=len(refusals), clamped=taken.clamped, refusals=refusals)


def _refused(refusals: list[tuple[str, str]]) -> JSONResponse:
    errors = [{"parameter": where, "problem": problem} for where, problem in refusals]
    return error_answer(400, "None of the events can be taken; `errors` says why.", code="events_refused", errors=errors)
