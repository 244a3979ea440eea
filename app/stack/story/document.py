"""A story as JSON for scripts. The shape is documented in docs/story.md and kept: names are added, never changed."""

from dataclasses import asdict
from typing import Any, Final

import orjson

from app.stack.story.model import Story
from app.stack.story.units import Unit
from app.stack.story.verdict import Verdict

FORMAT: Final = 1


def as_document(story: Story) -> bytes:
    """The story as JSON, with a newline at the end."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "id": story.ident,
        "verdict": _verdict(story.verdict) if story.verdict else None,
        "records": story.found.records,
        "records_beyond_limit": story.found.more,
        "error_events": [asdict(event) for event in story.error_events],
        "tracked_events": story.tracked,
        "dead_letters": story.found.dead_letters,
        "traces": [asdict(trace) for trace in story.traces],
        "traces_beyond_limit": story.more_traces,
        "alerts": [asdict(alert) for alert in story.alerts],
        "problems": story.problems,
    }
    return to_json(document)


def to_json(document: dict[str, Any]) -> bytes:
    """Indented, with a newline at the end."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    silence = verdict.silence
    return {
        "kind": verdict.kind,
        "failed": verdict.is_failure,
        "outcome": verdict.outcome,
        "status_code": verdict.status,
        "started": verdict.started,
        "seconds": verdict.seconds,
        "requests": [_unit(unit) for unit in verdict.units],
        "worst": _unit(verdict.worst) if verdict.worst else None,
        "time": [asdict(share) for share in verdict.time],
        "longest_pause": {"after": silence[0], "before": silence[1], "seconds": silence[2]} if silence else None,
        "first_error": asdict(verdict.first_error) if verdict.first_error else None,
        "component": verdict.component,
        "user_ids": verdict.user_ids,
        "earlier": asdict(verdict.earlier) if verdict.earlier else None,
    }


def _unit(unit: Unit) -> dict[str, Any]:
    plain = asdict(unit)
    plain.pop("record")
    return {**plain, "status_code": plain.pop("status"), "seconds": unit.seconds}
