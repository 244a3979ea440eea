"""One request through both services. The trace store is a stand-in (tests/support/otlp_sink.py)."""

from collections.abc import Callable

import pytest

from tests.support.otlp_sink import OtlpSink
from tests.support.processes import Service
from tests.support.servers import Postgres
from tests.support.waiting import wait_until

StartService = Callable[..., Service]


@pytest.mark.req("COR-15", "TRC-02", "TRC-03", "TRC-04", "TRC-07", "COR-16", "LOG-29")
def test_one_id_and_one_trace_go_through_both_services(start: StartService) -> None:
    """Records of both carry the id and the trace; the spans of both hang together, from the edge to the computation."""
    with OtlpSink() as store:
        voice = start("voice", OTEL_EXPORTER_OTLP_ENDPOINT=store.endpoint)
        app = start("app", VOICE_URL=voice.url, VOICE_TIMEOUT_SECONDS="20", OTEL_EXPORTER_OTLP_ENDPOINT=store.endpoint)
        assert app.post("/suggest", {"user_id": "42", "topic": "chess"}, "abc123").status_code == 200
        traces = {record["trace_id"] for service in (app, voice) for record in service.records("abc123")}
        assert len(traces) == 1
        assert {record["service_name"] for service in (app, voice) for record in service.records("abc123")} == {"app", "voice"}
        (trace,) = traces
        wanted = {("app", "POST /suggest"), ("app", "suggestion.fetch"), ("voice", "POST /suggest"), ("voice", "suggestion.compute")}
        wait_until("all spans arrive", lambda: wanted <= {(span.service, span.name) for span in store.of(trace)})
        by_name = {(span.service, span.name): span for span in store.of(trace)}
    edge = by_name["app", "POST /suggest"]
    call = by_name["app", "suggestion.fetch"]
    served = by_name["voice", "POST /suggest"]
    work = by_name["voice", "suggestion.compute"]
    assert edge.parent_id == ""
    assert [call.parent_id, served.parent_id, work.parent_id] == [edge.span_id, call.span_id, served.span_id]


@pytest.mark.req("TRC-04", "DBQ-07")
def test_queries_are_spans_of_their_request(postgres: Postgres, start: StartService) -> None:
    """The query hangs below the domain's step and shows its statement without parameters."""
    with OtlpSink() as store:
        app = start("app", DATABASE_URL=postgres.url, OTEL_EXPORTER_OTLP_ENDPOINT=store.endpoint)
        app.get("/feed?before=424242", "q1")
        trace = app.records("q1")[0]["trace_id"]
        wait_until("all spans arrive", lambda: {"GET /feed", "feed.load", "db.query"} <= {span.name for span in store.of(trace)})
        spans = {span.name: span for span in store.of(trace)}
    assert spans["feed.load"].parent_id == spans["GET /feed"].span_id
    assert spans["db.query"].parent_id == spans["feed.load"].span_id
    assert spans["db.query"].attributes["db.query.text"].startswith("SELECT posts.id")
    assert "424242" not in str(spans["db.query"].attributes)


@pytest.mark.req("TRC-10")
def test_without_a_trace_store_everything_works(start: StartService) -> None:
    """With nobody behind the address the answers are the same, and the records still share a trace id."""
    app = start("app", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert app.get("/feed", "t1").status_code == 200
    assert len({record["trace_id"] for record in app.records("t1")}) == 1
