"""The way of a trace: app → OTLP → Jaeger → Elasticsearch → whoever reads there."""

import socket
import time
from typing import Final

from app.clients.jaeger import TraceStoreError, fetch_trace
from app.core.ports import LOOPBACK
from app.stack.choose import choose
from app.stack.doctor.asking import NoAnswerError, ask
from app.stack.doctor.counters import own_samples
from app.stack.doctor.errand import PAUSE_SECONDS, Errand
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.logs import client_settings
from app.stack.doctor.model import Finding, Scene
from app.stack.doctor.running import log_of, restart, unanswered
from app.stack.mode import Mode

_CONNECT_SECONDS: Final = 3.0
_LIST_SECONDS: Final = 15.0
"""It asks Elasticsearch for the list; on a machine that does much else that takes its time."""


def trace_path(scene: Scene, errand: Errand) -> list[Finding]:
    """Whether the errand's trace, which its header asks to be recorded, is found in Jaeger; else what keeps it away."""
    skipped = choose(scene.stack, strict=False).skipped if scene.mode is Mode.NATIVE else {}
    if "jaeger" in skipped:
        return note(f"No traces here: {skipped['jaeger']}.", "Install it and run `make up` again.")
    if errand.problem:
        return unanswered(scene, "app", "No request could be sent to the app, so there is no trace.", errand.problem)
    url = client_settings(scene).jaeger_url
    try:
        ask(f"{url}/api/services", seconds=_LIST_SECONDS)
        if _is_found(url, errand):
            return ok(f"The request's trace was found in Jaeger {time.monotonic() - errand.sent:.1f} s later.")
    except NoAnswerError as error:
        return unanswered(scene, "jaeger", "Jaeger does not answer, so no trace can be stored or shown.", error)
    except TraceStoreError as error:
        return problem(
            "Jaeger can't look for the trace.",
            f"{str(error).partition(';')[0]}: mostly Elasticsearch, in which it stores, does not answer or refuses nobet_jaeger.",
            f"The row `logs` says whether Elasticsearch is well; {log_of(scene, 'jaeger')}",
        )
    return _why(scene)


def _is_found(url: str, errand: Errand) -> bool:
    while True:
        if fetch_trace(url, errand.trace_id):
            return True
        if time.monotonic() > errand.deadline:
            return False
        time.sleep(PAUSE_SECONDS)


def _why(scene: Scene) -> list[Finding]:
    what = "The request's trace does not arrive in Jaeger."
    try:
        socket.create_connection((LOOPBACK, scene.stack.port("otlp_http")), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return problem(what, f"Nothing takes spans at port {scene.stack.port('otlp_http')}.", restart(scene, "jaeger"))
    lost = sum(value for labels, value in own_samples(scene, "app", "telemetry_dropped_total").items() if "span" in labels)
    if lost:
        return problem(
            what,
            f"The app could not send {lost:.0f} spans: OTEL_EXPORTER_OTLP_ENDPOINT is another address, or Jaeger refuses them.",
            f"Compare it with {scene.stack.url('otlp_http')}; {log_of(scene, 'jaeger')}",
        )
    return problem(
        what,
        "The app sends no spans (OTEL_EXPORTER_OTLP_ENDPOINT is empty), or Jaeger can't write to Elasticsearch.",
        f"`make up` sets the address; {log_of(scene, 'jaeger')} tells of a failed write.",
    )
