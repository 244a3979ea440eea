"""Reads error events from Bugsink's API, by their tag `event_id`, which is our request id."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 5
MOST_PAGES: Final = 4
"""Pages of a list that are read; the tracker puts up to 250 entries on one."""
MOST_EVENTS: Final = 40
"""Events that are opened for their tags, those nearest in time first: each is a request."""
API: Final = "/api/canonical/0"

NEWEST: Final = {"sort": "last_seen", "order": "desc"}

TAG: Final = "event_id"
QUERY_SYNTAX: Final = frozenset(' "\\')
"""Characters that its search would take for something else; no id of ours has them."""


class ErrorTrackerError(Exception):
    """The error tracker could not be asked. One sentence that says what to do."""


@dataclass(slots=True)
class ErrorEvent:
    """One error event of a story."""

    title: str
    service: str = ""
    level: str = ""
    timestamp: str = ""
    location: str = ""
    url: str = ""
    """Page of the event in the error tracker; empty when only our records tell of it."""
    tags: dict[str, str] = field(default_factory=dict)


def error_events(url: str, token: str, idents: list[str], start: float, end: float) -> list[ErrorEvent]:
    """The events between two moments that carry one of the ids as tag, oldest first. Raises ErrorTrackerError."""
    found: list[ErrorEvent] = []
    opened: set[str] = set()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_SECONDS) as client:
            projects = [str(project["id"]) for project in _list(client, "/projects/")]
            for query in (f"{TAG}:{ident}" for ident in idents if ident and not any(character in QUERY_SYNTAX for character in ident)):
                issues = [issue for project in projects for issue in _list(client, "/issues/", project=project, q=query, **NEWEST)]
                # Its search may give every issue there is: those that were not seen then are not opened.
                alive = [
                    issue for issue in issues if _at(issue.get("first_seen"), start) <= end and _at(issue.get("last_seen"), end) >= start
                ]
                near = [
                    (abs(_at(event.get("timestamp"), 0.0) - (start + end) / 2), event, issue)
                    for issue in alive
                    for event in _list(client, "/events/", issue=str(issue["id"]), q=query)
                    if start <= _at(event.get("timestamp"), 0.0) <= end
                ]
                nearest = sorted(near, key=lambda candidate: candidate[0])[:MOST_EVENTS]
                found += [_event(client, event, issue, url) for _, event, issue in nearest if event["id"] not in opened]
                opened |= {event["id"] for _, event, _ in nearest}
    except httpx.HTTPStatusError as error:
        raise ErrorTrackerError(f"The error tracker at {url} answered {error.response.status_code}; its log says why.") from None
    except (httpx.HTTPError, ValueError, KeyError) as error:
        problem = type(error).__name__
        raise ErrorTrackerError(f"The error tracker at {url} is not reachable ({problem}); `nobet status` says whether it runs.") from None
    # What the search makes of a query differs between its versions: the tags decide.
    kept = {event.url: event for event in found if event.tags.get(TAG) in idents}
    return sorted(kept.values(), key=lambda event: event.timestamp)


def _list(client: httpx.Client, path: str, **params: str) -> list[dict[str, Any]]:
    """The entries of the first pages."""
    found: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        answer = client.get(f"{API}{path}", params=params).raise_for_status().json()
        found += answer["results"] if isinstance(answer, dict) else answer
        following = answer.get("next") if isinstance(answer, dict) else None
        if not following:
            break
        # Only what it says about the place: the token goes to no address that an answer names.
        params = dict(httpx.URL(str(following)).params)
    return found


def _event(client: httpx.Client, event: dict[str, Any], issue: dict[str, Any], url: str) -> ErrorEvent:
    data = client.get(f"{API}/events/{event['id']}/").raise_for_status().json().get("data") or {}
    tags = data.get("tags") or {}
    plain = {str(key): str(value) for key, value in (tags.items() if isinstance(tags, dict) else tags)}
    return ErrorEvent(
        title=_title(data) or _joined(issue.get("calculated_type"), issue.get("calculated_value")) or "Error",
        service=plain.get("service", ""),
        level=str(data.get("level") or "error"),
        timestamp=str(event.get("timestamp") or ""),
        location=_location(data),
        url=f"{url.rstrip('/')}/issues/issue/{issue['id']}/event/{event['id']}/",
        tags=plain,
    )


def _at(text: object, otherwise: float) -> float:
    """A time as seconds since the epoch; `otherwise` for what is none."""
    try:
        return dt.datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return otherwise


def _title(data: dict[str, Any]) -> str:
    """What the event itself says: its issue has the words of the first of its kind, which may have been another status."""
    exceptions = (data.get("exception") or {}).get("values") or []
    if exceptions:
        return _joined(exceptions[-1].get("type"), exceptions[-1].get("value"))
    entry = data.get("logentry") or {}
    return str(data.get("message") or entry.get("formatted") or entry.get("message") or "")


def _joined(*parts: object) -> str:
    return ": ".join(str(part) for part in parts if part)


def _location(data: dict[str, Any]) -> str:
    """The innermost frame of our own code in the last exception, else of all, as file:line in function."""
    exceptions = (data.get("exception") or {}).get("values") or []
    frames = ((exceptions[-1].get("stacktrace") or {}).get("frames") or []) if exceptions else []
    if not frames:
        return ""
    own = [frame for frame in frames if frame.get("in_app") is not False and str(frame.get("filename", "")).endswith(".py")]
    frame = (own or frames)[-1]
    return f"{frame.get('filename', '?')}:{frame.get('lineno', '?')} in {frame.get('function', '?')}"
