"""What is put together from the stores, with recorded answers in their place."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from app.clients.log_search import Earlier, Found, LogSearch
from app.core.config import Settings, load_settings
from app.stack.story import gather
from app.stack.story.document import as_document
from app.stack.story.gather import UnclearIdError, tell
from tests.support.json_stub import JsonStub
from tests.support.processes import CHECKOUT
from tests.support.stories import BEGIN, record, request

STARTED = BEGIN.timestamp()


class Recorded(LogSearch):
    """Answers as Elasticsearch did."""

    def __init__(self, records: list[dict[str, Any]], beginnings: Sequence[str] = ()) -> None:
        self.records = records
        self.beginnings = list(beginnings)
        self.asked: list[tuple[Any, ...]] = []

    def by_ids(self, idents: Sequence[str], limit: int = 2000) -> Found:
        """Those that carry one of the ids."""
        return Found(
            [item for item in self.records if {item.get("request_id"), item.get("trace_id"), item.get("call_sid")} & set(idents)][:limit]
        )

    def ids_beginning(self, start: str) -> list[str]:
        """As recorded."""
        return [ident for ident in self.beginnings if ident.startswith(start)]

    def tracked(self, idents: Sequence[str]) -> list[dict[str, Any]]:
        """One event."""
        return [{"event_type": "post_created", "timestamp": self.records[0]["timestamp"], "request_id": idents[0]}]

    def earlier(self, *question: Any) -> Earlier:
        """Three of ten, and the question is kept."""
        self.asked.append(question)
        return Earlier(3, 10, "2026-11-22T02:00:00.000000Z")


@pytest.fixture
def stub() -> Iterator[JsonStub]:
    """Jaeger, Prometheus and the error tracker in one."""
    with JsonStub() as server:
        server.answers["/api/v1/query_range"] = {
            "data": {
                "result": [
                    _alert("HighErrorRate", "app", STARTED + 60, STARTED + 90),
                    _alert("OtherService", "oncall", STARTED, STARTED + 60),
                    _alert("LongOver", "app", STARTED - 600, STARTED - 570),
                    _alert("TwiceFired", "app", STARTED - 3000, STARTED + 90),
                ]
            }
        }
        server.answers["/api/canonical/0/projects/"] = {"results": [{"id": 1}]}
        server.answers["/api/canonical/0/issues/"] = {
            "results": [{"id": "i1", "calculated_type": "ZeroDivisionError", "calculated_value": "division by zero"}]
        }
        server.answers["/api/canonical/0/events/"] = {"results": [{"id": "e1", "timestamp": "2026-11-22T02:15:04Z"}]}
        frames = {"frames": [{"filename": "app/x.py", "lineno": 3, "function": "f"}]}
        server.answers["/api/canonical/0/events/e1/"] = {
            "data": {"level": "error", "tags": {"service": "app", "event_id": "abc123"}, "exception": {"values": [{"stacktrace": frames}]}}
        }
        yield server


def _alert(name: str, service: str, since: float, until: float) -> dict[str, Any]:
    return {
        "metric": {"alertname": name, "severity": "critical", "service": service},
        "values": [[at, "1"] for at in (*_firing(since), *_firing(until - 30))],
    }


def _firing(since: float) -> list[float]:
    """Half a minute of points."""
    return [since + 5 * number for number in range(7)]


def settings_for(stub: JsonStub, access: str = "recorded") -> Settings:
    """Settings that point at the stub."""
    urls = {"jaeger_url": stub.url, "prometheus_url": stub.url, "error_tracker_url": stub.url}
    return load_settings(_env_file=None).model_copy(update={**urls, "error_tracker_token": SecretStr(access)})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for what will not come."""
    monkeypatch.setattr(gather, "PATIENCE_SECONDS", 0.2)


FAILED = request("abc123", status=500, outcome="failed", error_type="ZeroDivisionError", trace_id="4b" * 16, user_id="42")


@pytest.mark.req("LOG-24", "COR-16", "COR-09")
def test_a_failure_is_told_from_every_store(stub: JsonStub) -> None:
    """Records, error event with its place, tracked event, what fired because of it, and since when it fails."""
    search = Recorded(FAILED)
    story = tell("abc123", settings_for(stub), search)
    assert [event.title for event in story.error_events] == ["ZeroDivisionError: division by zero"]
    assert story.error_events[0].location == "app/x.py:3 in f"
    assert story.error_events[0].url.endswith("/issues/issue/i1/event/e1/")
    assert [event["event_type"] for event in story.tracked] == ["post_created"]
    assert [alert.name for alert in story.alerts] == ["HighErrorRate", "TwiceFired"]
    assert story.alerts[1].since == STARTED + 60, "the time before was another"
    assert story.verdict is not None
    assert story.verdict.earlier == Earlier(3, 10, "2026-11-22T02:00:00.000000Z")
    among, same, _, start, end = search.asked[0]
    assert among == {"service_name": "app", "endpoint": "/suggest", "method": "POST"}
    assert same == {"outcome": "failed", "status_code": 500, "error_type": "ZeroDivisionError"}
    assert (round(end - start), round(start)) == (3600, round(STARTED - 3600))
    assert ("/api/canonical/0/issues/", {"project": "1", "q": "event_id:abc123", "sort": "last_seen", "order": "desc"}) in stub.asked
    assert story.problems == []


def test_an_error_event_has_its_own_words_and_our_own_place(stub: JsonStub) -> None:
    """Its issue has those of the first of its kind; the innermost frame may be a compiled library's."""
    answer = {"level": "error", "tags": {"event_id": "abc123"}}
    stub.answers["/api/canonical/0/events/e1/"] = {"data": {**answer, "message": "POST answered 502"}}
    assert [event.title for event in tell("abc123", settings_for(stub), Recorded(FAILED)).error_events] == ["POST answered 502"]
    ours, theirs = {"filename": "app/x.py", "lineno": 3, "function": "f"}, {"filename": "uvloop/loop.pyx", "in_app": True}
    thrown = {"type": "OSError", "value": "refused", "stacktrace": {"frames": [ours, theirs]}}
    stub.answers["/api/canonical/0/events/e1/"] = {"data": {**answer, "exception": {"values": [thrown]}}}
    (event,) = tell("abc123", settings_for(stub), Recorded(FAILED)).error_events
    assert (event.title, event.location) == ("OSError: refused", "app/x.py:3 in f")


def test_an_event_is_found_among_many_issues(stub: JsonStub) -> None:
    """Some versions of the tracker ignore the search: issues that were not seen then don't take the place of the one that was."""
    later = {"first_seen": "2026-11-22T03:00:00Z", "last_seen": "2026-11-22T03:10:00Z"}
    ours = {"first_seen": "2026-11-21T02:00:00Z", "last_seen": "2026-11-22T04:00:00Z"}
    stub.answers["/api/canonical/0/issues/"] = {
        "results": [*({"id": f"late{number}", **later} for number in range(60)), {"id": "i1", **ours}]
    }
    story = tell("abc123", settings_for(stub), Recorded(FAILED))
    assert [event.location for event in story.error_events] == ["app/x.py:3 in f"]
    assert not any(question.get("issue", "").startswith("late") for _, question in stub.asked)


def test_of_a_success_nothing_is_asked_that_only_failures_have(stub: JsonStub) -> None:
    """No error events, no history; alerts only if they fired at that very moment."""
    search = Recorded(request("abc123"))
    story = tell("abc123", settings_for(stub), search)
    assert (story.error_events, story.alerts, search.asked) == ([], [], [])


def test_without_a_token_the_error_tracker_is_not_asked(stub: JsonStub) -> None:
    """An own server at SENTRY_DSN has another interface."""
    assert tell("abc123", settings_for(stub, access=""), Recorded(FAILED)).error_events == []
    assert not any("canonical" in path for path, _ in stub.asked)


def test_events_of_other_requests_are_left_out(stub: JsonStub) -> None:
    """Whatever the error tracker's search gives back: the tag decides whose event it is."""
    stub.answers["/api/canonical/0/events/e1/"]["data"]["tags"]["event_id"] = "somebody-else"
    assert tell("abc123", settings_for(stub), Recorded(FAILED)).error_events == []


def test_stores_that_fail_are_named_once_each(stub: JsonStub) -> None:
    """The rest is told."""
    stub.status = 500
    story = tell("abc123", settings_for(stub), Recorded(FAILED))
    assert len(story.problems) == 2
    assert "error tracker" in story.problems[0]
    assert "Prometheus" in story.problems[1]
    assert story.verdict is not None


def test_a_beginning_is_found_at_once_and_an_unclear_one_asks(stub: JsonStub) -> None:
    """Without waiting for records that might still come."""
    search = Recorded(FAILED, ["abc123"])
    started = time.monotonic()
    assert tell("abc1", settings_for(stub), search).ident == "abc123"
    assert time.monotonic() - started < gather.SETTLED_SECONDS
    search.beginnings.append("abc199")
    with pytest.raises(UnclearIdError) as unclear:
        tell("abc1", settings_for(stub), search)
    assert unclear.value.idents == ["abc123", "abc199"]


def test_the_document_has_its_documented_shape(stub: JsonStub) -> None:
    """Scripts rely on these names: docs/story.md lists them, and none is missing, even where there is nothing."""
    document = orjson.loads(as_document(tell("abc123", settings_for(stub), Recorded(FAILED))))
    assert set(document) == {
        "format",
        "id",
        "verdict",
        "records",
        "records_beyond_limit",
        "error_events",
        "tracked_events",
        "dead_letters",
        "traces",
        "traces_beyond_limit",
        "alerts",
        "problems",
    }
    assert set(document["verdict"]) == {
        "kind",
        "failed",
        "outcome",
        "status_code",
        "started",
        "seconds",
        "requests",
        "worst",
        "time",
        "longest_pause",
        "first_error",
        "component",
        "user_ids",
        "earlier",
    }
    page = (CHECKOUT / "docs" / "story.md").read_text(encoding="utf-8")
    assert [name for name in (*document, *document["verdict"], *document["verdict"]["first_error"]) if f"`{name}`" not in page] == []
    empty = orjson.loads(as_document(tell("nobody", settings_for(stub), Recorded([record(0, "INFO", "x", request_id="other")]))))
    assert set(empty) == set(document)
    assert empty["verdict"] is None
