"""`nobet story ID` against a real Elasticsearch with shipped records; a stub plays Jaeger."""

import json
from collections.abc import Iterator

import pytest

from app.core import context
from app.core.logger import get_logger
from app.stack.story import gather
from app.stack.story.command import NO_STORE, NOTHING, UNCLEAR, Wanted, run
from tests.support.jaeger_stub import JaegerStub, span
from tests.support.records import logging_to
from tests.support.shipping import Shipping
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
log = get_logger("tests.story")


@pytest.fixture(scope="module")
def told(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    """One request through two services, with everything that can go wrong in it, and a running shipper."""
    stack.need("elasticsearch")
    shipping = Shipping(stack, tmp_path_factory.mktemp("story"))
    try:
        shipping.set_up()
        with logging_to(shipping.spool, service_name="app"):
            with _request("abc123", call_sid="CA77"):
                log.info("Request started", event="http.request.started", method="GET", path="/feed")
                log.warning(
                    "Suggestions failed \x1b[31mred\x1b[0m \u202eevil", event="suggestion.failed", error_code="E42", tenant="a\r\nb"
                )
                try:
                    raise ValueError("broken")
                except ValueError:
                    log.error("It broke", exc_info=True)
            with _request("abc999", trace="0" * 31 + "1"):
                log.info("Something else")
        with logging_to(shipping.spool, service_name="voice"), _request("other-id"):
            log.info("Suggestions made", event="voice.suggested", count=3)
        bad = json.dumps({"timestamp": "2026-11-22T02:15:04.123456Z", "request_id": "abc123", "count": {"no": "number"}}).encode()
        assert shipping.producer._writer.append(bad.replace(b": ", b":") + b"\n")
        shipping.start()
        least = {"abc123": 3, "abc999": 1, "other-id": 1}
        wait_until(
            "the records arrive",
            lambda: (
                shipping.count() >= 7
                and shipping.count(shipping.dead) == 1
                and all(shipping.count_of(request_id=[ident]) >= count for ident, count in least.items())
            ),
            60,
        )
        yield shipping
    finally:
        shipping.close()


class _request:  # noqa: N801 (reads as a verb where it is used)
    def __init__(self, ident: str, trace: str = TRACE, **more: str) -> None:
        self._fields = {"request_id": ident, "trace_id": trace, **more}

    def __enter__(self) -> None:
        self._token = context.replace(dict(self._fields))

    def __exit__(self, *_error: object) -> None:
        context.restore(self._token)


@pytest.fixture
def jaeger() -> Iterator[JaegerStub]:
    """Knows the trace."""
    with JaegerStub() as stub:
        stub.traces[TRACE] = [
            span("a", "", "GET /feed", 0, 84_200, "app"),
            span("b", "a", "suggestion.fetch", 43_000, 39_000, "app", error=True),
            span("c", "b", "suggestion.compute", 47_000, 31_000, "voice"),
        ]
        yield stub


@pytest.fixture(autouse=True)
def addresses(told: Shipping, jaeger: JaegerStub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of `nobet story`; a wide terminal and no long waits."""
    monkeypatch.setenv("ELASTICSEARCH_URL", told.url)
    monkeypatch.setenv("ELASTICSEARCH_READER_PASSWORD", told.stack.sign_in("reader")[1])
    monkeypatch.setenv("LOG_INDEX_PREFIX", told.prefix)
    monkeypatch.setenv("JAEGER_URL", jaeger.url)
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(gather, "PATIENCE_SECONDS", 1.0)


@pytest.mark.req("COR-16", "J-01")
@pytest.mark.parametrize("ident", ["abc123", "CA77", TRACE, TRACE[:8]])
def test_any_of_its_ids_tells_the_whole_story(ident: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Request id, call, trace and the beginning of a trace: records of both services in time, then the waterfall."""
    assert run(Wanted(ident)) == 0
    said = capsys.readouterr().out
    places = [said.index(piece) for piece in ("http.request.started", "suggestion.failed", "It broke", "Suggestions made", "Trace 4")]
    assert places == sorted(places)
    assert "Something else" not in said
    assert "error_code=E42" in said
    assert "Prometheus at http://127.0.0.1:1 is not reachable" in said
    for name in ("GET /feed", "suggestion.fetch", "suggestion.compute", "84.2 ms", "█"):
        assert name in said


def test_what_was_refused_belongs_to_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of the request that became a dead letter is told with its reason."""
    assert run(Wanted("abc123")) == 0
    assert "Dead letter rejected" in capsys.readouterr().out


def test_logged_text_is_inert_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, line breaks and direction marks of a record reach the terminal as visible text."""
    run(Wanted("abc123"))
    said = capsys.readouterr().out
    assert "\x1b[31mred" not in said
    assert "\\x1b[31mred" in said
    assert "\u202e" not in said
    assert "a\\x0d\\x0ab" in said


def test_as_json_it_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: records, dead letters and spans."""
    assert run(Wanted("abc123", as_json=True)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert document["verdict"]["first_error"]["error_type"] == "ValueError"
    assert {record["request_id"] for record in document["records"]} == {"abc123", "other-id"}
    assert [letter["reason"] for letter in document["dead_letters"]] == ["rejected"]
    assert [found["name"] for found in document["traces"][0]["spans"]] == ["GET /feed", "suggestion.fetch", "suggestion.compute"]


def test_an_unknown_id_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """An exit code of its own and one sentence, with control characters of the argument made visible."""
    assert run(Wanted("no\x1b[2Jsuch")) == NOTHING
    said = capsys.readouterr()
    assert said.out == ""
    assert "Nothing is known about no\\x1b[2Jsuch yet" in said.err


def test_the_beginning_of_several_ids_asks_which(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than mixing two stories."""
    monkeypatch.setattr("app.clients.log_search.SHORTEST_PREFIX", 3)
    assert run(Wanted("abc")) == UNCLEAR
    said = capsys.readouterr().err
    assert "abc123" in said
    assert "abc999" in said


def test_it_waits_for_records_that_are_on_their_way(
    told: Shipping, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for a moment too early, it looks again instead of saying that there is nothing."""
    monkeypatch.setattr(gather, "PATIENCE_SECONDS", 60.0)
    told.producer.written.clear()
    told.producer.write()
    assert run(Wanted(told.producer.written[0])) == 0
    assert "1 record" in capsys.readouterr().out


def test_a_trace_may_come_later_or_not_at_all(jaeger: JaegerStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Spans arrive after records; a request that was not sampled has none, and that is said."""
    jaeger.traces.clear()
    assert run(Wanted("abc123")) == 0
    assert "not sampled" in capsys.readouterr().out


def test_jaeger_away_leaves_the_records(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The story is told without its trace, and says why."""
    monkeypatch.setenv("JAEGER_URL", "http://127.0.0.1:1")
    assert run(Wanted("abc123")) == 0
    said = capsys.readouterr().out
    assert "It broke" in said
    assert "Jaeger at http://127.0.0.1:1 is not reachable" in said


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [("ELASTICSEARCH_URL", "http://127.0.0.1:1", "make up"), ("ELASTICSEARCH_READER_PASSWORD", "wrong", "ELASTICSEARCH_READER_PASSWORD")],
)
def test_elasticsearch_away_or_refusing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, advice: str
) -> None:
    """What is wrong and what to do, with an exit code of its own."""
    monkeypatch.setenv(variable, value)
    assert run(Wanted("abc123")) == NO_STORE
    said = capsys.readouterr().err.strip()
    assert advice in said
    assert "Traceback" not in said
