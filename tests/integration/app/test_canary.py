"""Secrets that are sent to us turn up nowhere (FAULTS 21). The receivers of events and spans are stand-ins."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.otlp_sink import OtlpSink
from tests.support.processes import Service
from tests.support.sentry_sink import SentrySink
from tests.support.users import SIGNING_KEY, issued_headers
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

CANARIES = {
    "an API key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLWEtY2FuYXJ5",
    "a card number": "4242 4242 4242 4242",
    "an address": "canary.bird@example.org",
    "a password": "hunter2-Canary-91",
}
JSON = {"Content-Type": "application/json"}


def _requests(canary: str) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Everywhere that a careless client may put a secret: header, cookie, query, path, agent, bodies good and bad."""
    quoted = httpx.QueryParams({"v": canary})["v"].replace(" ", "%20")
    post = f'{{"title": "{canary}", "body": "password={canary}"}}'.encode()
    writes = JSON | issued_headers("7")
    return [
        ("GET", "/feed", {"Authorization": f"Bearer {canary}", "Cookie": f"session={canary}"}, b""),
        ("GET", f"/feed?password={quoted}&limit={quoted}", {}, b""),
        ("GET", f"/crash?token={quoted}", {"Authorization": f"Bearer {canary}", "Cookie": f"session={canary}"}, b""),
        ("POST", "/posts", writes, post),
        ("POST", "/posts", writes, post.replace(b'"body"', b'"password"')),
        ("POST", "/posts", writes, f'{{"password": "{canary}"'.encode()),
        ("POST", "/comments", writes, f'{{"post_id": 1, "body": "{canary}"}}'.encode()),
        ("POST", "/images", writes, f'{{"prompt": "{canary}"}}'.encode()),
        ("POST", "/graphql", writes, f'{{"query": "{{ {canary} }}", "variables": {{"password": "{canary}"}}}}'.encode()),
        ("POST", "/suggest", JSON, f'{{"user_id": "7", "topic": "{canary}"}}'.encode()),
        ("POST", "/crash", {"X-Api-Key": canary}, canary.encode()),
    ]


@pytest.mark.req("PRV-01", "PRV-02", "PRV-06", "PRV-10", "DBQ-07")
def test_no_secret_that_was_sent_is_kept_anywhere(start: StartService) -> None:
    """Zero hits in the spools, on standard output and error, in error events, spans and metrics of both services."""
    with SentrySink() as events, OtlpSink() as spans:
        stores = {"SENTRY_DSN": events.dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": spans.endpoint, "LOG_TRACEBACKS": "always"}
        voice = start("voice", VOICE_LATENCY_SECONDS="0", **stores)
        app = start("app", VOICE_URL=voice.url, JWT_SECRET=SIGNING_KEY, **stores)
        with httpx.Client(base_url=app.url, trust_env=False, timeout=30) as client:
            for canary in CANARIES.values():
                for method, path, headers, body in _requests(canary):
                    client.request(method, path, headers=headers, content=body)
            client.get("/crash", headers={"X-Event-ID": "last"})
        wait_until("the last event arrives", lambda: events.of("last"))
        wait_until("the last span arrives", lambda: spans.of(app.records("last")[0]["trace_id"]))
        kept = {
            "spool of the app": str(app.records()) + "".join(path.read_text() for path in app.spool.glob("*.ndjson")),
            "spool of voice": "".join(path.read_text() for path in voice.spool.glob("*.ndjson")),
            "output of the app": app.output.read_text(),
            "output of voice": voice.output.read_text(),
            "error events": str(events.events),
            "spans": str(spans.spans),
            "metrics": app.get("/metrics").text + voice.get("/metrics").text,
        }
    assert all(kept.values())
    hits = [(what, where) for what, canary in CANARIES.items() for where, text in kept.items() if canary in text]
    assert hits == []
