"""The request with which the doctor walks: one for all paths, with an id and a sampled trace of its own."""

import secrets
import time
from dataclasses import dataclass
from typing import Final

from app.stack.doctor.asking import NoAnswerError, ask
from app.stack.doctor.model import Scene

PATH: Final = "/nobet-doctor"
"""No route has it: its 404 goes the way of every request, also where the reference endpoints are gone."""

PATIENCE_SECONDS: Final = 15.0
"""Spool to Elasticsearch takes about two seconds, a trace to Jaeger about four."""

PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Errand:
    """A request that was sent, or why it could not be."""

    ident: str
    trace_id: str
    status: int
    sent: float
    """Monotonic seconds."""
    problem: NoAnswerError | None = None

    @property
    def deadline(self) -> float:
        """Until when its traces in the stores are waited for."""
        return self.sent + PATIENCE_SECONDS


def send(scene: Scene) -> Errand:
    """Ask the app for a page that is not there."""
    ident, trace_id = f"doctor-{secrets.token_hex(6)}", secrets.token_hex(16)
    headers = {"X-Event-ID": ident, "X-Request-ID": ident, "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    begin = time.monotonic()
    try:
        answer = ask(scene.stack.url("app") + PATH, headers=headers)
    except NoAnswerError as error:
        return Errand(ident, trace_id, 0, begin, error)
    return Errand(answer.headers.get("X-Request-ID", ""), trace_id, answer.status_code, time.monotonic())
