"""J-11: reservations begin to fail, the alert names the task, and the logs say why."""

import secrets
from typing import Any

import httpx
import pytest

from tests.support.calls import Caller, stage_knobs
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ALERT = "HighTaskFailureRate"
ALERT_SECONDS = 120
"""The rule holds half a minute here, over a window of half a minute."""

ARRIVAL_SECONDS = 60
FULL: dict[str, Any] = {"failure_share": 1, "failure_status": 409, "failure_code": "fully_booked"}
SUCCESS = 'sum by (task) (rate(tasks_executed_total{status="success"}[1m])) / sum by (task) (rate(tasks_executed_total[1m]))'
"""What the panel of the success ratio on Workflow Analysis asks."""


@pytest.mark.req("J-11", "ALR-10", "BIZ-02", "BIZ-04", "LOG-02", "TRC-07", "ALD-14")
def test_failing_reservations_are_named_counted_and_explained(world: RunningStack, app: httpx.Client, stores: Stores) -> None:
    """Ratio, alert and mail with the name of the task, records with reason, call_sid and trace_id; it ends after the repair."""
    caller = Caller(app, new_user(app, "j11").headers, f"CA-j11-{secrets.token_hex(8)}")
    caller.begin()
    failed = 'sum(tasks_executed_total{task="reservation",status="failure"})'
    wait_until("the counters of tasks", lambda: stores.query(failed), ARRIVAL_SECONDS)
    stores.caught_up()
    before = stores.value(failed)
    mails = len(stores.mails(ALERT))
    assert caller.want("reservation", people="2").status_code == 200

    with stage_knobs(world, task=FULL):
        refused = 0

        def firing() -> list[dict[str, Any]]:
            nonlocal refused
            answer = caller.want("reservation", people="2")
            assert (answer.status_code, answer.json()["code"]) == (409, "fully_booked")
            refused += 1
            return stores.query(f'ALERTS{{alertname="{ALERT}",alertstate="firing"}}')

        (alert,) = wait_until("the alert firing", firing, ALERT_SECONDS)
        assert (alert["metric"]["task"], alert["metric"]["service"]) == ("reservation", "app")
        wait_until(
            "the total firing too",
            lambda: firing() and stores.query('ALERTS{alertname="HighTotalTaskFailureRate",alertstate="firing"}'),
            ALERT_SECONDS,
        )
        mail = wait_until("the mail", lambda: firing() and stores.mails(ALERT)[mails:], ALERT_SECONDS)[0]
        assert "reservation" in mail["text"]
        ratio = {row["metric"]["task"]: float(row["value"][1]) for row in stores.query(SUCCESS)}
        assert ratio["reservation"] < 0.95
        wait_until("every failure being counted", lambda: stores.value(failed) == before + refused, ARRIVAL_SECONDS)

    records = wait_until("the records of the failures", lambda: _failures(stores, caller.call_sid, refused), ARRIVAL_SECONDS)
    assert {record["reason"] for record in records} == {"fully_booked"}
    assert {(record["task"], record["outcome"], record["level"]) for record in records} == {("reservation", "refused", "WARNING")}
    assert len({record["trace_id"] for record in records}) == refused

    def traced() -> bool:
        return "task_execution" in {span["operationName"] for span in stores.trace(records[0]["trace_id"])}

    wait_until("the task in the trace of one of them", traced, ARRIVAL_SECONDS)

    def over() -> bool:
        assert caller.want("reservation", people="2").status_code == 200
        return not stores.query(f'ALERTS{{alertname="{ALERT}"}}')

    wait_until("the alert ending after the repair", over, ALERT_SECONDS)
    assert caller.hang_up().status_code == 200


def _failures(stores: Stores, call_sid: str, count: int) -> list[dict[str, Any]]:
    """As an operator would look for them: the task and its failure, within a call."""
    terms = [{"term": {"event": "call.task_failed"}}, {"term": {"task": "reservation"}}, {"term": {"call_sid": call_sid}}]
    found = stores.logs({"bool": {"filter": terms}})
    return found if len(found) == count else []
