"""FAULTS 20: error tracker and trace store accept connections and never answer. Nobody who is served notices."""

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.support.backend import sample
from tests.support.processes import Service
from tests.support.waiting import wait_until

MORE_THAN_THE_QUEUE = 150
"""Events; the SDK keeps 100 that wait to be sent."""


@pytest.fixture
def hole() -> Iterator[int]:
    """The port of a listener that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


@pytest.mark.req("SEB-21", "LOG-25", "TRC-01")
def test_answers_stay_right_losses_are_counted_and_the_end_is_bounded(start: Callable[..., Service], hole: int) -> None:
    """Every request is answered as always, what could not be sent is in the metrics, and SIGTERM ends the process in order."""
    app = start(
        "app",
        SENTRY_DSN=f"http://public@127.0.0.1:{hole}/1",
        SENTRY_EVENTS_PER_MINUTE_OF_A_KIND="0",
        SENTRY_EVENTS_PER_MINUTE="0",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{hole}",
        TRACE_SAMPLE_RATE="1",
    )
    statuses = {app.get(path).status_code for _ in range(MORE_THAN_THE_QUEUE) for path in ("/crash", "/feed")}
    assert statuses == {500, 200}

    def dropped(signal: str) -> float:
        return sample(app.get("/metrics").text, "telemetry_dropped_total", signal=signal)

    wait_until("lost error events being counted", lambda: dropped("error_event") > 0, 120)
    wait_until("lost spans being counted", lambda: dropped("span") > 0, 120)
    process = app._process
    app.stop()
    assert process is not None
    assert process.returncode in (0, -15), "it had to be killed"
    assert [record["event"] for record in app.records() if record.get("event") == "app.stopped"] == ["app.stopped"]
