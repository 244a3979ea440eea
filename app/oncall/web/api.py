"""For machines: Alertmanager's webhook, incidents, who is on call, Slack's button."""

from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.oncall.actions import UnknownIncidentError
from app.oncall.machine import NotPossibleError
from app.oncall.payload import Webhook
from app.oncall.service import Service
from app.oncall.watch import WATCHDOG
from app.oncall.web.access import only_with_token, refuse, service_of, signed_by_slack
from app.oncall.web.bodies import read_body

LONGEST_BODY: Final = 32 * 1024 * 1024
LONGEST_CALLBACK: Final = 256 * 1024
MOST_AT_ONCE: Final = 8
"""Webhooks that are taken in at the same time; more are told to come back. Alertmanager repeats after 503, but not after 429."""

ServiceDep = Annotated[Service, Depends(service_of)]

router = APIRouter()
_protected = APIRouter(prefix="/api", dependencies=[Depends(only_with_token)], tags=["api"])


class Person(BaseModel):
    """Who does it."""

    who: str = Field(min_length=1, max_length=200)


class Release(Person):
    """Whom it goes to; empty gives it back to the escalation."""

    to: str = Field("", max_length=200)


class Gate:
    """Counts the webhooks that are being taken in."""

    def __init__(self) -> None:
        self.under_way = 0


_gate: Final = Gate()


@_protected.post("/alerts", status_code=202)
async def take_alerts(request: Request, service: ServiceDep) -> dict[str, int]:
    """Alertmanager's webhook. Everything is durable when the answer arrives; 503 asks for the same again."""
    if _gate.under_way >= MOST_AT_ONCE:
        raise refuse("overload", "Too many webhooks at once. Send it again.", 503, {"Retry-After": "5"})
    _gate.under_way += 1
    try:
        body = await read_body(request, LONGEST_BODY)
        try:
            alerts = Webhook.model_validate_json(body).alerts
        except ValidationError as error:
            raise refuse("malformed", f"This is no webhook of Alertmanager: {error.error_count()} problems.", 400) from None
        beats = [alert for alert in alerts if alert.labels.get("alertname") == WATCHDOG]
        others = [alert for alert in alerts if alert.labels.get("alertname") != WATCHDOG]
        if any(alert.status == "firing" for alert in beats):
            await service.watch.beat()
        sure = all(alert.status == "firing" for alert in others) or await service.watch.prometheus_answers()
        return {"taken": await service.intake.take(others, service.clock(), ends_are_sure=sure)}
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise HTTPException(503, "The incidents can't be stored now. Send it again.", {"Retry-After": "5"}) from error
    finally:
        _gate.under_way -= 1


@_protected.get("/incidents")
async def list_incidents(service: ServiceDep, all: bool = False, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:  # noqa: A002 (the parameter's name in the address)
    """Open incidents, or all."""
    return await service.overview.incidents(open_only=not all, limit=limit)


@_protected.get("/incidents/{ident}")
async def read_incident(service: ServiceDep, ident: str) -> dict[str, Any]:
    """One incident with its timeline. A beginning of its id will do."""
    found = await service.overview.incident(ident)
    if found is None:
        raise HTTPException(404, f"There is no incident {ident!r}, or several begin so.")
    return found


@_protected.post("/incidents/{ident}/acknowledge")
async def acknowledge(service: ServiceDep, ident: str, person: Person) -> dict[str, str]:
    """Take it; nobody else is called."""
    found = await read_incident(service, ident)
    try:
        return {"acknowledged_by": await service.actions.acknowledge(found["id"], person.who, "api")}
    except (NotPossibleError, UnknownIncidentError) as error:
        raise HTTPException(409, str(error)) from None


@_protected.post("/incidents/{ident}/release", status_code=204)
async def release(service: ServiceDep, ident: str, change: Release) -> None:
    """Give it back, or hand it over."""
    found = await read_incident(service, ident)
    try:
        await service.actions.release(found["id"], change.who, change.to)
    except (NotPossibleError, UnknownIncidentError) as error:
        raise HTTPException(409, str(error)) from None


@_protected.get("/duty")
async def read_duty(service: ServiceDep) -> list[dict[str, Any]]:
    """Who is on call now."""
    return service.overview.duty(service.clock())


@router.post("/slack/actions", include_in_schema=False)
async def slack_action(request: Request, service: ServiceDep) -> Response:
    """The button under a message in Slack."""
    body = await read_body(request, LONGEST_CALLBACK)
    headers = request.headers
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not signed_by_slack(service.settings.slack_signing_secret, stamp, signature, body):
        raise refuse("signature", "Slack's signature is missing or wrong.")
    try:
        payload = orjson.loads(parse_qs(body.decode())["payload"][0])
        ident, _, episode = payload["actions"][0]["value"].partition(".")
        who = str(payload["user"].get("username") or payload["user"]["id"])
        number = int(episode)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise refuse("malformed", "This is no action of our message.", 400) from None
    try:
        text = f"Taken by {await service.actions.acknowledge(ident, who, 'slack', number)}."
    except (NotPossibleError, UnknownIncidentError) as error:
        text = str(error)
    return Response(orjson.dumps({"response_type": "ephemeral", "replace_original": False, "text": text}), media_type="application/json")


router.include_router(_protected)
