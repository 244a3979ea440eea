"""Cases 8 and 9 of the fault catalogue: much waits, or nothing comes through. `make fault-cases` runs them in their full length."""

import signal
from typing import Final

import pytest

from tests.support.faultproxy import FaultProxy
from tests.support.machines import ALSO_HERE, HERE, THERE, second_machine
from tests.support.producing import Producer
from tests.support.scale import sized
from tests.support.shipping import Shipping
from tests.support.waiting import wait_until

SOON: Final = 60
LINES: Final = sized(20_000, 1_000_000)
OUTAGE_TIMEOUTS: Final = sized(6, 300)
"""Requests that go unanswered while packets are lost; 300 take a few minutes."""

USUAL_SEGMENT: Final = 8 * 1024 * 1024


def grown(shipping: Shipping, lines: int) -> int:
    """Write a backlog in segments of the usual size; its bytes."""
    written = shipping.producer.written
    shipping.producer.close()
    shipping.producer = Producer(shipping.spool, shipping.seed + 1, segment_bytes=USUAL_SEGMENT)
    shipping.producer.written = written
    shipping.producer.write(lines)
    return sum(path.stat().st_size for path in shipping.spool.glob("app.*.ndjson"))


@pytest.mark.req("SHP-07")
def test_a_shipper_that_was_asleep_catches_up(shipping: Shipping) -> None:
    """Case 8: SIGSTOP, a large backlog below the spool's bound, SIGCONT: the lag shows, all of it arrives, the lag is gone."""
    shipping.start()
    assert shipping.process is not None
    shipping.process.send_signal(signal.SIGSTOP)
    grown(shipping, LINES)
    shipping.process.send_signal(signal.SIGCONT)
    wait_until("the lag shows", lambda: shipping.metrics()["shipper_backlog_records"] > 0, SOON)
    shipping.check_oracle(timeout=sized(180, 1800))
    assert shipping.metrics()["shipper_oldest_unshipped_seconds"] < SOON


@pytest.mark.req("SHP-07", "SHP-08")
def test_packets_that_are_lost_cost_time_and_nothing_else(shipping: Shipping) -> None:
    """Case 9: packets to Elasticsearch vanish: time-outs, neither descriptors nor memory grow with the backlog; it drains."""
    with second_machine() as machine, FaultProxy("127.0.0.1", shipping.stack.port("elasticsearch"), at=HERE) as proxy:
        shipping.move_to(THERE, machine.launch, ALSO_HERE)
        shipping.producer.write(100)
        shipping.start(ELASTICSEARCH_URL=proxy.url, SHIPPER_BIND=THERE, SHIPPER_TIMEOUT_SECONDS="0.5", SHIPPER_BATCH_DOCS="4000")
        wait_until("the first records arrive", lambda: shipping.count() >= 100, SOON)
        before = shipping.metrics()["process_open_fds{0}"]
        machine.lose_packets()
        shipping.producer.write(100)
        wait_until("requests time out", lambda: shipping.metrics()["shipper_retries_total{timeout}"] > 1, SOON)
        backlog = grown(shipping, LINES)
        goal = shipping.metrics()["shipper_retries_total{timeout}"] + OUTAGE_TIMEOUTS
        wait_until("more of them time out", lambda: shipping.metrics()["shipper_retries_total{timeout}"] > goal, sized(SOON, 900))
        assert shipping.metrics()["process_open_fds{0}"] <= before + 40, "a descriptor for each open segment and connection, no more"
        memory = shipping.metrics()["process_resident_memory_bytes{0}"]
        machine.heal()
        shipping.check_oracle(timeout=sized(180, 1800))
        assert memory < 120 * 1024 * 1024, f"{memory:,.0f} bytes with a backlog of {backlog:,}"
