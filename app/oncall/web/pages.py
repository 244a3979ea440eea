"""For people: open incidents, one incident, the acknowledge link, sign-in. Plain HTML that a phone at three in the morning can show."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.core.logger import get_logger
from app.oncall.actions import UnknownIncidentError
from app.oncall.machine import NotPossibleError
from app.oncall.messages import duration, inert, web_link, with_time
from app.oncall.service import Service
from app.oncall.templating import TEMPLATES
from app.oncall.web.access import COOKIE, SESSION_SECONDS, Doorkeeper, refuse, service_of
from app.oncall.web.bodies import read_body
from app.oncall.web.silences import LONGEST_HOURS, SilenceError, active_silences, silence

LONGEST_FORM: Final = 16 * 1024

SAFE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = get_logger(__name__)
router = APIRouter(include_in_schema=False)
ServiceDep = Annotated[Service, Depends(service_of)]


class SignInNeeded(Exception):  # noqa: N818 - it is no error, it leads to a page
    """Nobody is signed in."""


def _doorkeeper(request: Request) -> Doorkeeper:
    found: Doorkeeper = request.app.state.doorkeeper
    return found


DoorkeeperDep = Annotated[Doorkeeper, Depends(_doorkeeper)]


async def _person(request: Request, door: DoorkeeperDep) -> str:
    """Who is signed in. Raises SignInNeeded; refuses a form that another site's page sent."""
    who = door.who(request.cookies.get(COOKIE))
    if who is None:
        raise SignInNeeded
    _same_site(request)
    return who


PersonDep = Annotated[str, Depends(_person)]


@router.get("/")
async def home(service: ServiceDep, who: PersonDep, all: bool = False) -> HTMLResponse:  # noqa: A002 (the parameter's name in the address)
    """Open incidents, who is on call, what is silenced."""
    incidents = await service.overview.incidents(open_only=not all, limit=100)
    return _page(
        "home.html",
        who=who,
        everything=all,
        incidents=[_for_people(incident) for incident in sorted(incidents, key=_urgency)],
        duty=service.overview.duty(service.clock()),
        maintenance=service.overview.maintenance(service.clock()),
        silences=await active_silences(service.settings),
        alertmanager=service.settings.alertmanager_url,
        grafana=service.settings.grafana_url,
    )


@router.get("/incidents/{ident}")
async def incident_page(service: ServiceDep, who: PersonDep, ident: str) -> HTMLResponse:
    """One incident: what, since when, what to do, and everything that happened."""
    return await _incident_page(service, who, ident)


async def _incident_page(service: Service, who: str, ident: str, problem: str = "") -> HTMLResponse:
    found = await service.overview.incident(ident)
    if found is None:
        raise HTTPException(404, "There is no such incident.")
    people = {name: person.name for name, person in service.policy.people.items()}
    return _page("incident.html", who=who, incident=_for_people(found), people=people, longest=LONGEST_HOURS, problem=inert(problem, 200))


@router.post("/incidents/{ident}/{action}")
async def act(request: Request, service: ServiceDep, who: PersonDep, ident: str, action: str) -> Response:
    """A button of the incident's page."""
    form = await _form(request)
    found = await service.overview.incident(ident)
    if found is None or action not in ("acknowledge", "release", "silence"):
        raise HTTPException(404, "There is no such incident or action.")
    try:
        if action == "acknowledge":
            await service.actions.acknowledge(found["id"], who, "page")
        elif action == "release":
            await service.actions.release(found["id"], who, form.get("to", ""))
        else:
            ident_of = await silence(
                service.settings, found, author=who, reason=form.get("reason", ""), hours=_hours(form.get("hours", "1"))
            )
            log.info(
                "An alert was silenced", event="oncall.silenced", alert_name=found["alertname"], incident_id=found["id"], reason=ident_of
            )
    except (NotPossibleError, UnknownIncidentError, SilenceError) as error:
        return await _incident_page(service, who, found["id"], str(error))
    return RedirectResponse(f"/incidents/{found['id']}", 303)


@router.get("/acknowledge")
async def ask_to_acknowledge(service: ServiceDep, token: str = "") -> HTMLResponse:
    """What the link in a message opens. It only shows: a mail scanner that follows it acknowledges nothing."""
    grant = service.links.check(token)
    found = await service.overview.incident(grant.incident_id) if grant else None
    if grant is None or found is None:
        raise refuse("signature", "This link is not valid. Use the one in the message, or the on-call page.", 403)
    return _page("acknowledge.html", incident=_for_people(found), grant=grant, token=token, result="", problem="")


@router.post("/acknowledge")
async def acknowledge(request: Request, service: ServiceDep) -> HTMLResponse:
    """The button on that page."""
    token = (await _form(request)).get("token", "")
    grant = service.links.check(token)
    if grant is None:
        raise refuse("signature", "This link is not valid. Use the one in the message, or the on-call page.", 403)
    result = problem = ""
    try:
        holder = await service.actions.acknowledge(grant.incident_id, grant.who, "link", grant.episode)
        result = "You have it. Nobody else is called." if holder == grant.who else f"{holder} has it already."
    except (NotPossibleError, UnknownIncidentError) as error:
        problem = str(error)
    found = await service.overview.incident(grant.incident_id)
    if found is None:
        raise HTTPException(404, "There is no such incident.")
    return _page("acknowledge.html", incident=_for_people(found), grant=grant, token="", result=result, problem=problem)


@router.get("/sign-in")
async def sign_in_page(service: ServiceDep) -> HTMLResponse:
    """Name and password."""
    return _sign_in_page(service)


def _sign_in_page(service: Service, problem: str = "") -> HTMLResponse:
    people = {name: person.name for name, person in service.policy.people.items()}
    return _page("sign_in.html", people=people, problem=problem)


@router.post("/sign-in")
async def sign_in(request: Request, service: ServiceDep, door: DoorkeeperDep) -> Response:
    """Start a session."""
    _same_site(request)
    form = await _form(request)
    who = inert(form.get("who", ""), 100) or "somebody"
    try:
        session = door.sign_in(who, form.get("password", ""))
    except HTTPException as error:
        page = _sign_in_page(service, str(error.detail))
        page.status_code = error.status_code
        return page
    answer = RedirectResponse("/", 303)
    secure = service.settings.oncall_public_url.startswith("https://")
    answer.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure)
    return answer


@router.post("/sign-out")
async def sign_out(_: PersonDep) -> Response:
    """End the session in this browser."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


def _same_site(request: Request) -> None:
    origin = request.headers.get("origin")
    # Compared as text: an origin is no more than scheme and host, and one that is no address at all must not break the parser.
    if request.method == "POST" and origin and origin.partition("://")[2] != request.headers.get("host"):
        raise refuse("signature", "This form came from another page.", 403)


async def _form(request: Request) -> dict[str, str]:
    parsed = parse_qs((await read_body(request, LONGEST_FORM)).decode("utf-8", "replace"))
    return {name: values[0] for name, values in parsed.items()}


def _hours(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SilenceError("The hours of a silence are a number, such as 1 or 0.5.") from None


def _for_people(incident: dict[str, Any]) -> dict[str, Any]:
    """With inert texts, safe links and durations."""
    notes, opened, ended = incident["annotations"], incident["opened_at"], incident["resolved_at"]
    return {
        **incident,
        "summary": inert(notes.get("summary", ""), 300),
        "description": inert(notes.get("description", "")),
        "runbook": web_link(notes.get("runbook_url", "")),
        "dashboard": with_time(web_link(notes.get("dashboard_url", "")), opened, ended),
        "lasted": duration((ended or datetime.now(UTC).timestamp()) - opened),
    }


def _urgency(incident: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Open before closed, pages before tickets, unanswered before taken; among equals the order stays: newest first."""
    return incident["resolved_at"] is not None, incident["severity"] != "critical", incident["state"] == "acknowledged"


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _page(name: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(TEMPLATES.get_template(name).render(**values), headers=SAFE_HEADERS)


TEMPLATES.filters |= {"moment": _moment, "inert": inert, "duration": duration}
