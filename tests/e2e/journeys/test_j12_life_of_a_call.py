"""J-12: the life of a call, from the telephony gateway through both services, under one trace and one call_sid."""

import secrets
from typing import Any

import httpx
import pytest

from tests.support.calls import Caller
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ARRIVAL_SECONDS = 60
STAGES = {
    "asr_processing": "asr.transcribe",
    "llm_call": "llm.generate",
    "tts_processing": "tts.synthesize",
    "task_execution": "task.execute",
}
"""The app's span → the voice service's span below it."""

COUNTED = ("calls_total", "call_duration_seconds_count", "end_to_end_turn_duration_ms_count", "llm_ttft_duration_ms_count")


def _values(stores: Stores) -> dict[str, float]:
    return {name: stores.value(f'sum({name}{{service="app"}})') for name in COUNTED}


def _mean(stores: Stores) -> float:
    return stores.value("average_call_duration_seconds")


def _tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def _parents(spans: list[dict[str, Any]], name: str) -> list[str]:
    """Operation names from a span's parent up to the root that is in the trace."""
    by_id = {span["spanID"]: span for span in spans}
    (span,) = (span for span in spans if span["operationName"] == name)
    found = []
    while span["references"] and (span := by_id.get(span["references"][0]["spanID"], {})):
        found.append(span["operationName"])
    return found


@pytest.mark.req("J-12", "BIZ-01", "BIZ-03", "TRC-03", "TRC-04", "TRC-05", "TRC-06", "TRC-07", "LOG-02", "LAT-06", "C-02", "C-10")
def test_a_call_is_one_waterfall_and_one_story_in_the_logs_of_both_services(app: httpx.Client, stores: Stores) -> None:
    """One trace with the spans of both services, records of both by trace_id and by call_sid, calls counted, the mean renewed."""
    user = new_user(app, "j12")
    wait_until("the counters of calls", lambda: stores.query('calls_total{service="app"}'), ARRIVAL_SECONDS)
    stores.caught_up()
    before, mean = _values(stores), _mean(stores)
    trace_id = secrets.token_hex(16)
    caller = Caller(app, user.headers, f"CA-j12-{secrets.token_hex(8)}", f"00-{trace_id}-{secrets.token_hex(8)}-01")

    caller.begin()
    turn = caller.say("a table for four at eight")
    task = caller.want("reservation", people="4", at="20:00")
    ended = caller.hang_up()
    assert [answer.status_code for answer in (turn, task, ended)] == [200, 200, 200]
    assert turn.json()["reply"].endswith("You said: A table for four at eight")

    spans = wait_until("the whole trace", lambda: _whole(stores.trace(trace_id)), ARRIVAL_SECONDS)
    assert {span["service"] for span in spans} == {"app", "voice"}
    assert {_tags(span).get("call_sid") for span in spans} == {caller.call_sid}
    for ours, theirs in STAGES.items():
        parents = _parents(spans, theirs)
        assert ours in parents, f"{theirs} hangs below {parents}"
    assert "call.turn" in _parents(spans, "llm.generate")

    by_trace = wait_until("the records of both services", lambda: _told(stores.logs({"term": {"trace_id": trace_id}})), ARRIVAL_SECONDS)
    assert {record["service_name"] for record in by_trace} == {"app", "voice"}
    assert {record.get("call_sid") for record in by_trace} == {caller.call_sid}

    def the_same() -> bool:
        by_trace = stores.logs({"term": {"trace_id": trace_id}})
        by_call = stores.logs({"term": {"call_sid": caller.call_sid}})
        return {record["_id"] for record in by_call} == {record["_id"] for record in by_trace}

    wait_until("the same records under the trace and under the call", the_same, ARRIVAL_SECONDS)
    assert "four" not in str(by_trace)

    wait_until("the call being counted", lambda: _values(stores) == {name: value + 1 for name, value in before.items()}, ARRIVAL_SECONDS)
    wait_until("the mean being renewed", lambda: _mean(stores) > 0 and _mean(stores) != mean, ARRIVAL_SECONDS)


@pytest.mark.req("TRC-02")
def test_two_calls_are_two_traces(app: httpx.Client, stores: Stores) -> None:
    """Where the gateway begins no trace, the app makes one for each."""
    user = new_user(app, "j12")
    callers = [Caller(app, user.headers, f"CA-j12-{secrets.token_hex(8)}") for _ in range(2)]
    for caller in callers:
        caller.begin()
        caller.hang_up()
    wanted = {"bool": {"filter": [{"terms": {"call_sid": [caller.call_sid for caller in callers]}}, {"term": {"event": "call.started"}}]}}
    records = wait_until("both beginnings", lambda: found if len(found := stores.logs(wanted)) == 2 else [], ARRIVAL_SECONDS)
    assert len({record["trace_id"] for record in records}) == 2


def _whole(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {span["operationName"] for span in spans}
    ends = {"POST /api/calls", "POST /api/calls/{call_sid}/end", *STAGES, *STAGES.values()}
    return spans if ends <= names else []


def _told(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Four requests to the app and four to the voice service, each with its end."""
    ends = [record for record in records if record.get("event") == "http.request.completed"]
    return records if len(ends) == 8 else []
