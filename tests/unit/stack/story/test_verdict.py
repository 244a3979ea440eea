"""What a story comes to: the answers at its top, from recorded records and spans."""

from typing import Any

import pytest

from app.clients.jaeger import TraceSpan
from app.stack.story.times import shares
from app.stack.story.units import entries, units_of
from app.stack.story.verdict import Verdict, judge
from app.stack.story.verdict_view import headline
from tests.support.stories import chat, record, request


def judged(records: list[dict[str, Any]], spans: list[TraceSpan] | None = None, ident: str = "abc123") -> Verdict:
    """The verdict about records, in the order of time."""
    verdict = judge(ident, sorted(records, key=lambda item: str(item["timestamp"])), spans or [])
    assert verdict is not None
    return verdict


def test_nothing_has_no_verdict() -> None:
    """An empty story is told by the caller."""
    assert judge("abc123", [], []) is None


@pytest.mark.req("LOG-24")
def test_a_failed_request_answers_the_five_questions() -> None:
    """Which error, which code, which user, which request; since when is asked of the store."""
    start, end = request("abc123", status=500, outcome="failed", error_type="ZeroDivisionError", error_location="app/x.py:3 in f")
    verdict = judged([start, record(0.01, "ERROR", "feed.failed", error_message="division by zero", user_id="42"), end])
    assert verdict.is_failure
    assert verdict.first_error is not None
    assert (verdict.first_error.event, verdict.first_error.location) == ("feed.failed", "app/x.py:3 in f")
    assert (verdict.first_error.error_type, verdict.first_error.error_message) == ("ZeroDivisionError", "division by zero")
    assert verdict.user_ids == ["42"]
    assert headline(verdict) == "POST /suggest crashed after 50.0 ms; the answer was 500"


def test_a_bad_gateway_names_the_warning_before_it() -> None:
    """The terminal record's ERROR says only 502; the cause is the warning of the service that failed."""
    start, end = request("abc123", status=502)
    verdict = judged([start, record(0.02, "WARNING", "suggestion.failed", error_code="model_overloaded"), end])
    assert verdict.first_error is not None
    assert (verdict.first_error.event, verdict.first_error.error_code) == ("suggestion.failed", "model_overloaded")


def test_our_time_limit_is_the_cause_not_the_hanging_up_that_follows() -> None:
    """The other service's warning that its client is gone comes first, and is our own doing."""
    start, end = request("abc123", status=502, seconds=2.0)
    gone = record(1.9, "WARNING", "http.request.cancelled", service_name="voice", reason="client_gone", span_id="s2")
    verdict = judged([start, gone, record(1.95, "WARNING", "suggestion.timed_out", error_code="timeout"), end])
    assert verdict.first_error is not None
    assert (verdict.first_error.event, verdict.first_error.error_code) == ("suggestion.timed_out", "timeout")


def test_of_a_librarys_error_the_place_in_our_own_code_is_named() -> None:
    """A compiled library has no path that says so; the innermost frame of ours in the traceback is what one wants to open."""
    start, end = request("abc123", status=500, outcome="failed", error_type="ConnectionRefusedError")
    frames = ('"/srv/app/db/engine.py", line 50, in opened', '"/x/site-packages/a.py", line 1, in b', '"uvloop/loop.pyx", line 7, in c')
    stack = "\n".join(f"  File {frame}" for frame in frames)
    place = {"error_location": "uvloop/loop.pyx:7 in c"}
    verdict = judged([start, record(0.01, "ERROR", "feed.failed", **place), record(0.02, "DEBUG", "error.traceback", traceback=stack), end])
    assert verdict.first_error is not None
    assert verdict.first_error.location == "db/engine.py:50 in opened"


def test_the_request_of_another_service_inside_is_no_second_request() -> None:
    """What the app asked the voice service belongs to the app's request, and its status is not the user's."""
    outer = request("abc123", status=502, seconds=2.0)
    inner = request("abc123", begin=0.5, seconds=1.0, status=503, service="voice", span="s2")
    verdict = judged([*outer, *inner])
    assert verdict.kind == "request"
    assert (verdict.status, verdict.seconds) == (502, 2.0)
    assert [unit.service for unit in entries(units_of(sorted([*outer, *inner], key=lambda item: str(item["timestamp"]))))] == ["app"]


def test_a_quick_request_right_after_another_services_is_one_of_its_own() -> None:
    """The end of a call comes within the clocks' tolerance of its last stage, but in a trace of its own."""
    stage = request("abc123", seconds=0.4, service="voice", trace_id="a" * 32)
    end = request("abc123", begin=0.41, seconds=0.01, span="s2", trace_id="b" * 32)
    records = sorted([*stage, *end], key=lambda item: str(item["timestamp"]))
    assert [unit.service for unit in entries(units_of(records))] == ["voice", "app"]


@pytest.mark.req("COR-11")
def test_a_flow_of_calls_is_told_as_such() -> None:
    """Three calls under one id: how many, how they ended, and the worst of them."""
    flow = [*request("f1", span="a"), *request("f1", begin=1, span="b"), *request("f1", begin=2, span="c", status=503)]
    verdict = judged(flow)
    assert verdict.kind == "requests"
    assert headline(verdict).startswith("3 requests in 2.05 s: 2 × 200, 1 × 503. The worst: POST /suggest answered 503")


def test_a_call_is_told_as_a_call() -> None:
    """A call_sid unites requests with ids of their own."""
    turns = [item for number in range(3) for item in request(f"t{number}", begin=number, span=f"s{number}", call_sid="CA77")]
    verdict = judged([{**item, "call_sid": "CA77"} for item in turns], ident="CA77")
    assert verdict.kind == "call"
    assert headline(verdict).startswith("Call of 3 requests")


@pytest.mark.req("LOG-23")
def test_a_request_without_an_end_is_told() -> None:
    """A missing terminal record is the finding, not a success."""
    verdict = judged([request("abc123")[0], record(0.01, "INFO", "input.validated")])
    assert verdict.outcome == "unfinished"
    assert verdict.is_failure
    assert "has no end" in headline(verdict)


@pytest.mark.parametrize(
    ("code", "failed"), [(1000, False), (1001, False), (1006, True), (1011, True), (4401, True)], ids=lambda value: str(value)
)
def test_a_websocket_is_judged_by_its_close_code(code: int, failed: bool) -> None:
    """As both sides wished, or not."""
    verdict = judged(chat(2, close_code=code))
    assert verdict.kind == "websocket"
    assert verdict.is_failure is failed
    assert headline(verdict) == f"WebSocket /chat closed with {code} after 3.00 s"


def test_a_connection_that_takes_its_clients_id_is_one() -> None:
    """It was opened under an id that was made for it, and goes on under the one of its first message."""
    opened, *rest = chat(1)
    verdict = judged([{**opened, "request_id": "made-for-it"}, *rest])
    assert [unit.outcome for unit in verdict.units] == ["completed"]


def test_a_background_run_has_a_headline() -> None:
    """Runs have no terminal record; one with an error failed."""
    records = [record(0, "INFO", "cleanup.started", component="cleanup"), record(1, "INFO", "cleanup.completed", component="cleanup")]
    assert headline(judged(records)) == "A run of cleanup, 1.00 s"
    assert not judged(records).is_failure
    assert judged([*records, record(2, "ERROR", "cleanup.failed", component="cleanup")]).is_failure


def test_warnings_of_a_success_are_no_error() -> None:
    """A slow query that ended well is not the first error."""
    start, end = request("abc123")
    assert judged([start, record(0.01, "WARNING", "db.query.slow"), end]).first_error is None


@pytest.mark.req("TRC-09")
def test_the_time_is_where_no_child_explains_it() -> None:
    """Own time of each span: overlapping children count once, children that outlast their parent don't make it negative."""

    def span(ident: str, parent: str, name: str, start: int, length: int) -> TraceSpan:
        return TraceSpan(ident, parent, name, "app", start, length, failed=False)

    spans = [
        span("a", "", "POST /suggest", 0, 1000),
        span("b", "a", "llm_call", 100, 800),
        span("c", "a", "llm_call", 200, 500),
        span("d", "c", "late", 600, 500),
    ]
    found = {share.name: share.seconds * 1e6 for share in shares(spans)}
    assert found == {"llm_call": pytest.approx(800 + 400), "late": pytest.approx(500), "POST /suggest": pytest.approx(200)}


def test_without_a_trace_the_longest_pause_is_named() -> None:
    """Between which records the time passed."""
    start, end = request("abc123", seconds=2.0)
    verdict = judged([start, record(0.1, "INFO", "suggestion.requested"), record(1.9, "WARNING", "suggestion.timed_out"), end])
    assert verdict.silence is not None
    assert verdict.silence[:2] == ("suggestion.requested", "suggestion.timed_out")
    assert verdict.silence[2] == pytest.approx(1.8)
