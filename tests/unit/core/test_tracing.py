"""Trace context in and out; spans for sampled requests only; no store, no problem."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core import context, tracing
from app.core.config import load_settings
from tests.support.asgi import sample
from tests.support.otlp_sink import OtlpSink

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{}"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpSink]:
    """A trace store's stand-in that starts empty; the real one is in the end-to-end tests. It is given the time that it takes."""
    monkeypatch.setattr(tracing, "EXPORT_TIMEOUT_SECONDS", 60)
    with OtlpSink() as sink:
        yield sink
        tracing.shutdown()


def enter(trace: tracing.RequestTrace) -> None:
    """Bind what the middleware binds."""
    context.bind(trace_id=trace.trace_id, span_id=trace.span_id, request_id="r1")


@pytest.mark.req("TRC-01", "TRC-02", "TRC-03", "TRC-04", "TRC-05")
def test_spans_of_a_request_reach_the_store_in_one_trace(store: OtlpSink) -> None:
    """Server span, child and grandchild share the trace, point at their parents, and name their service."""
    tracing.setup(load_settings(otel_exporter_otlp_endpoint=store.endpoint, trace_sample_rate=1.0), "app")
    trace = tracing.begin(None, "GET", "/feed")
    enter(trace)
    with tracing.span("feed.load") as outer, tracing.span("db.query"):
        outer.set("rows", 3)
        assert context.current()["span_id"] != trace.span_id
    assert context.current()["span_id"] == trace.span_id
    tracing.end(trace, "GET /feed", {"http.route": "/feed"}, None, failed=False)
    tracing.shutdown()
    spans = {span.name: span for span in store.spans}
    assert set(spans) == {"GET /feed", "feed.load", "db.query"}
    assert {span.trace_id for span in spans.values()} == {trace.trace_id}
    assert spans["db.query"].parent_id == spans["feed.load"].span_id
    assert spans["feed.load"].parent_id == spans["GET /feed"].span_id
    assert {span.service for span in spans.values()} == {"app"}


@pytest.mark.req("TRC-03", "COR-15")
def test_the_callers_trace_is_continued_and_carried_on(store: OtlpSink) -> None:
    """A sampled traceparent makes our span its child; the next service gets our span as parent, and the request id."""
    tracing.setup(load_settings(otel_exporter_otlp_endpoint=store.endpoint, trace_sample_rate=0.0), "app")
    trace = tracing.begin(PARENT.format("01"), "GET", "/")
    enter(trace)
    assert trace.trace_id == "0af7651916cd43dd8448eb211c80319c"
    headers = tracing.outgoing_headers()
    assert headers == {"X-Request-ID": "r1", "traceparent": f"00-{trace.trace_id}-{trace.span_id}-01"}
    tracing.end(trace, "GET /", {}, None, failed=False)
    tracing.shutdown()
    assert store.spans[0].parent_id == "b7ad6b7169203331"


@pytest.mark.parametrize("traceparent", [PARENT.format("00"), None])
def test_an_unsampled_request_makes_no_span_and_keeps_its_ids(store: OtlpSink, traceparent: str | None) -> None:
    """The decision of the caller, or of the rate, holds for all spans below, and for the next service."""
    tracing.setup(load_settings(otel_exporter_otlp_endpoint=store.endpoint, trace_sample_rate=0.0), "app")
    trace = tracing.begin(traceparent, "GET", "/")
    enter(trace)
    assert not trace.sampled
    with tracing.span("feed.load") as span:
        span.set("rows", 1)
    assert tracing.outgoing_headers()["traceparent"].endswith("-00")
    tracing.end(trace, "GET /", {}, None, failed=False)
    tracing.shutdown()
    assert store.spans == []


@pytest.mark.parametrize("broken", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-xyz", "\x00"])
def test_a_broken_traceparent_starts_a_new_trace(broken: str) -> None:
    """Nothing from outside gets into an id unchecked."""
    trace = tracing.begin(broken, "GET", "/")
    assert int(trace.trace_id, 16) > 0
    assert len(trace.trace_id) == 32
    assert tracing.begin(None, "GET", "/").trace_id != trace.trace_id


def test_an_exception_marks_the_span_masked_and_goes_on(store: OtlpSink) -> None:
    """Class and masked message, no stack; the exception is raised on."""
    tracing.setup(load_settings(otel_exporter_otlp_endpoint=store.endpoint, trace_sample_rate=1.0), "app")
    trace = tracing.begin(None, "GET", "/")
    with pytest.raises(ValueError, match="hunter2"), tracing.span("feed.load"):
        raise ValueError("password=hunter2")
    tracing.end(trace, "GET /", {}, None, failed=True)
    tracing.shutdown()
    (failed,) = [span for span in store.spans if span.name == "feed.load"]
    assert failed.failed
    assert "hunter2" not in "".join(span.raw for span in store.spans)


@pytest.mark.req("TRC-10")
@pytest.mark.timeout(30)
def test_a_store_that_is_away_costs_counted_spans_and_nothing_else(records: Callable[[], list[dict[str, Any]]]) -> None:
    """The process goes on, ends in bounded time, counts what it dropped, and says it once."""
    before = sample("telemetry_dropped_total", signal="span")
    tracing.setup(load_settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9", trace_sample_rate=1.0), "app")
    for _ in range(5):
        tracing.end(tracing.begin(None, "GET", "/"), "GET /", {}, None, failed=False)
    tracing.shutdown()
    assert sample("telemetry_dropped_total", signal="span") == before + 5
    assert [record.get("event") for record in records()].count("telemetry.failing") == 1


@pytest.mark.req("TRC-10")
def test_without_a_store_there_are_ids_and_no_spans() -> None:
    """No setting, no exporter, no thread; logs can still be joined by trace_id."""
    tracing.setup(load_settings(), "app")
    trace = tracing.begin(None, "GET", "/")
    assert not trace.sampled
    assert len(trace.trace_id) == 32
