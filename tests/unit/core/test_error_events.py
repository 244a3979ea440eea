"""What an error event says, and what it does not; and the transactions of those who want them."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.core import context, error_tracking, tracing
from app.core.config import Settings, load_settings
from app.core.kit import Observability
from app.core.logger import get_logger
from tests.support.asgi import client_of, run, sample
from tests.support.records import spooled
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

log = get_logger("tests.events")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits at the end is sent, however busy the machine is."""
    monkeypatch.setattr(error_tracking, "SHUTDOWN_SECONDS", 60)


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    """A receiver of error events."""
    with SentrySink() as receiver:
        yield receiver


@pytest.fixture
def reporting(tmp_path: Path, sink: SentrySink) -> Callable[..., list[dict[str, Any]]]:
    """Runs some work with error tracking on, inside a run of its own; gives back the events once all were sent."""

    def run_it(work: Callable[[], None], **changes: Any) -> list[dict[str, Any]]:
        obs = Observability("app", settings_for(tmp_path, sink, **changes))
        with context.run("job"):
            error_tracking.begin_request(b"tests/1")
            work()
        obs.close()
        return sink.events

    return run_it


def settings_for(tmp_path: Path, sink: SentrySink, **changes: Any) -> Settings:
    """Error tracking on, pointed at the receiver."""
    defaults = {"spool_dir": tmp_path, "log_stdout": False, "sentry_dsn": sink.dsn, "health_interval_seconds": 600}
    return load_settings(_env_file=None, **{**defaults, **changes})


def raise_and_report(error: Exception, **options: Any) -> None:
    """Raise it, so that it has a place, and report it."""
    secret_of_this_frame = "s3cret-local"  # noqa: F841 (must not be in the event)
    try:
        raise error
    except type(error) as caught:
        error_tracking.capture_exception(caught, **options)


@pytest.mark.req("SEB-18", "J-06")
def test_time_outs_of_one_place_are_one_issue_whatever_they_say(reporting: Callable[..., list[dict[str, Any]]]) -> None:
    """Their fingerprint is kind and place, not the text; one can also be given by hand."""

    def work() -> None:
        for number in range(3):
            raise_and_report(TimeoutError(f"no answer after {number} s"))
        raise_and_report(ValueError("slow"), fingerprint=("processing-limit-exceeded",))
        error_tracking.capture_message("Processing limit exceeded", fingerprint=("processing-limit-exceeded",))

    events = reporting(work)
    prints = [tuple(event["fingerprint"]) for event in events]
    assert (len(set(prints[:3])), prints[3], prints[4]) == (1, ("processing-limit-exceeded",), ("processing-limit-exceeded",))


@pytest.mark.req("SEB-15", "PRV-02", "PRV-09")
@pytest.mark.parametrize(("wanted", "shown"), [(False, {"id"}), (True, {"id", "username", "email"})])
def test_name_and_mail_leave_only_when_somebody_wants_it(
    reporting: Callable[..., list[dict[str, Any]]], wanted: bool, shown: set[str]
) -> None:
    """The id always; name and e-mail with SENTRY_SEND_DEFAULT_PII only. Never an address or a cookie."""

    def work() -> None:
        context.bind(user_id="42")
        error_tracking.set_person(username="ayse", email="ayse@example.com")
        raise_and_report(ValueError("mail to ayse@example.com failed"))

    (event,) = reporting(work, sentry_send_default_pii=wanted)
    assert set(event["user"]) == shown
    assert ("ayse@example.com" in json.dumps(event)) is wanted
    assert "ayse@example.com" not in event["exception"]["values"][0]["value"]


@pytest.mark.req("SEB-16", "SEB-17", "SEB-20")
def test_tags_steps_and_instance_are_on_the_event(reporting: Callable[..., list[dict[str, Any]]]) -> None:
    """Tags of the request and of the call, the id, steps by hand, and the name of the instance."""

    def work() -> None:
        error_tracking.set_tag("user_role", "editor")
        error_tracking.add_breadcrumb("auth", "user logged in", "info")
        error_tracking.capture_message("Payment refused", transaction_type="product_purchase")

    (event,) = reporting(work, sentry_server_name="worker-7")
    assert {"user_role": "editor", "transaction_type": "product_purchase", "service": "app"}.items() <= event["tags"].items()
    assert event["tags"]["event_id"]
    assert event["server_name"] == "worker-7"
    (crumb,) = event["breadcrumbs"]["values"]
    assert (crumb["category"], crumb["message"], crumb["level"]) == ("auth", "user logged in", "info")


@pytest.mark.req("PRV-05", "PRV-10")
def test_an_event_and_a_traceback_hold_no_local_values_and_no_secret(
    reporting: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Neither does the record, also with LOG_TRACEBACKS=always."""

    def work() -> None:
        error_tracking.add_breadcrumb("query", "SELECT 1 -- password=hunter2")
        try:
            raise_and_report(ValueError("token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.abc"))
            raise KeyError("api_key=sk_live_abcdefghijklmnop")
        except KeyError:
            log.exception("Went wrong")

    events = reporting(work, log_tracebacks="always")
    assert len(events) == 2
    written = json.dumps([{key: value for key, value in event.items() if key != "exception"} for event in events])
    values = json.dumps([value["value"] for event in events for value in event["exception"]["values"]])
    everything = written + values + json.dumps(spooled(tmp_path))
    assert "traceback" in everything
    for secret in ("hunter2", "eyJhbGciOiJIUzI1NiJ9", "abcdefghijklmnop"):
        assert secret not in everything
    assert '"vars"' not in json.dumps(events)


@pytest.mark.req("SEB-13", "AUT-03", "SMP-03")
def test_a_storm_of_expired_tokens_is_a_few_messages_that_say_how_many(reporting: Callable[..., list[dict[str, Any]]]) -> None:
    """Messages keep to the limit of their kind too, and an error of another kind is not held up by them."""

    def work() -> None:
        for _ in range(50):
            error_tracking.capture_message("Token expired", level="warning")
        raise_and_report(ValueError("other"))

    events = reporting(work, sentry_events_per_minute_of_a_kind=5)
    assert [event.get("message") for event in events] == ["Token expired"] * 5 + [None]
    assert events[0]["level"] == "warning"


@pytest.mark.req("SMP-03", "SEB-02")
def test_a_critical_record_is_sent_whatever_the_sample(reporting: Callable[..., list[dict[str, Any]]]) -> None:
    """At a rate of 0 the CRITICAL record and the payment's error arrive, the usual one does not."""

    def work() -> None:
        raise_and_report(ValueError("usual"))
        raise_and_report(ValueError("paid twice"), category="payment")
        log.critical("The service can't go on")

    events = reporting(work, sentry_sample_rate=0.0)
    assert [(event["level"], event.get("message")) for event in events] == [("error", None), ("fatal", "The service can't go on")]


@pytest.mark.req("SMP-04")
def test_one_warning_comes_before_the_quota_is_used_up(reporting: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    """At 80 %: a WARNING record, and the metric that the alert watches."""

    def work() -> None:
        for number in range(9):
            error_tracking.capture_message(f"message {number}")

    assert len(reporting(work, sentry_monthly_quota=10)) == 9
    (warning,) = [record for record in spooled(tmp_path) if record.get("event") == "error_tracking.quota_low"]
    assert (warning["level"], warning["count"]) == ("WARNING", 8)
    assert (sample("error_events_month"), sample("error_events_quota_ratio")) == (9, 0.9)


@pytest.mark.req("SEB-07")
def test_the_rates_in_force_are_recorded_at_the_start(reporting: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    """One record with all of them."""
    reporting(lambda: None, sentry_traces_sample_rate=0.1)
    (record,) = [record for record in spooled(tmp_path) if record.get("event") == "error_tracking.started"]
    assert record["extra"]["traces_sample_rate"] == 0.1


def call(settings: Settings, until: Callable[[], object] = lambda: True) -> None:
    """One request that takes a while and has a span, under the id abc123; the service ends when something is true."""
    obs = Observability("app", settings)
    app = FastAPI()

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        with tracing.span("db.query", **{"db.query.text": "SELECT secret FROM items WHERE id = $1"}):
            over = time.thread_time() + 0.2  # a profile needs some samples of a busy thread
            while time.thread_time() < over:
                number += 1
        return number

    obs.install(app)

    async def work() -> None:
        async with client_of(app) as client:
            await client.get("/items/7?token=hunter2", headers={"X-Event-ID": "abc123"})
            await client.get("/health/live")
        await asyncio.to_thread(wait_until, "what the request leaves arrives", until)

    run(work())
    obs.close()


@pytest.mark.req("SEB-07", "SEB-08", "SEB-03", "DBQ-04", "TRC-08")
def test_sampled_requests_are_transactions_with_spans_and_a_profile(tmp_path: Path, sink: SentrySink) -> None:
    """Route, id and our trace id on it, the query as a span, a profile beside it; probes make none."""
    settings = settings_for(tmp_path, sink, sentry_traces_sample_rate=1.0, sentry_profiles_sample_rate=1.0)
    call(settings, until=lambda: sink.of_type("profile_chunk"))
    (transaction,) = wait_until("the transaction arrives", lambda: sink.of_type("transaction"))
    assert (transaction["transaction"], transaction["tags"]["event_id"]) == ("GET /items/{number}", "abc123")
    (span,) = transaction["spans"]
    assert (span["op"], span["description"]) == ("db", "SELECT secret FROM items WHERE id = $1")
    (record,) = [record for record in spooled(tmp_path) if record.get("event") == "http.request.completed" and "trace_id" in record][:1]
    assert transaction["contexts"]["trace"]["trace_id"] == record["trace_id"]
    assert "hunter2" not in json.dumps(transaction)
    chunk = sink.of_type("profile_chunk")[0]
    assert chunk["profiler_id"] == transaction["contexts"]["profile"]["profiler_id"]


@pytest.mark.req("SEB-07", "SMP-07")
def test_without_a_rate_there_are_no_transactions(tmp_path: Path, sink: SentrySink) -> None:
    """The default: traces go to the trace store."""
    call(settings_for(tmp_path, sink))
    assert sink.of_type("transaction") == []
