"""What the shipper's settings do on a real Elasticsearch, and the faults that concern them."""

import signal

import orjson
import pytest

from app.core.spool import drop_beyond, list_segments
from app.shipper.positions import PositionFile
from tests.support.poison import poisoning
from tests.support.producing import record_of
from tests.support.shipping import Shipping
from tests.support.waiting import wait_until

SOON = 60
POISON = b"this one always fails"


def test_compressed_requests_are_understood(shipping: Shipping) -> None:
    """With gzip, everything arrives once and unharmed, and the counters say so."""
    shipping.start(SHIPPER_COMPRESSION="on")
    shipping.producer.write(700)
    shipping.check_oracle()
    assert shipping.metrics()["shipper_bulk_items_total{2xx}"] >= 700


@pytest.mark.req("SHP-07")
def test_a_document_that_always_fails_holds_nothing_up(shipping: Shipping) -> None:
    """A 500 for one document, whoever is to blame: the rest is indexed, it is a dead letter in the end, its segment goes."""
    with poisoning(shipping.url, POISON) as url:
        shipping.producer.write(200)
        bad = orjson.dumps({**record_of("poisoned"), "message": POISON.decode()})
        assert shipping.producer._writer.append(bad + b"\n")
        shipping.producer.write(200)
        shipping.producer.close()
        shipping.start(ELASTICSEARCH_URL=url, SHIPPER_ITEM_TRIES="5")
        shipping.check_oracle(dead=1)
        (letter,) = shipping.dead_letters()
        assert (letter["reason"], letter["status"], letter["raw"]) == ("server_error", 500, bad.decode())
        assert shipping.metrics()["shipper_records_dead_total{server_error}"] == 1
        wait_until("its segments are removed", lambda: shipping.metrics()["shipper_backlog_segments"] <= 2, SOON)


@pytest.mark.req("SHP-08")
def test_what_was_delivered_of_a_dropped_segment_is_no_loss(shipping: Shipping) -> None:
    """A shipper is killed in the middle of a segment, and the spool's bound drops it: indexed and dropped make up what was written."""
    shipping.producer.write(30)
    shipping.start()
    wait_until("some are counted", lambda: shipping.metrics()["shipper_records_indexed_total"] >= 30, SOON)
    shipping.kill()
    delivered = PositionFile(shipping.spool / ".shipper").load().counts["shipper_records_indexed_total"]
    shipping.producer.write(25)
    shipping.producer.close()
    assert any(position > 0 for position in PositionFile(shipping.spool / ".shipper").load().positions.values())
    dropped = {name: lost for name, lost in drop_beyond(shipping.spool, 0) if name.service == "app"}
    assert not [name for name in list_segments(shipping.spool) if name.service == "app"]
    assert sum(dropped.values()) == 25
    shipping.start()
    shipping.producer.write(5)
    wait_until("later records arrive", lambda: shipping.producer.written[-1] in shipping.arrived(), SOON)
    assert len(shipping.documents(logger="tests.producer")) == 35
    assert shipping.kill(signal.SIGTERM) == 0
    assert PositionFile(shipping.spool / ".shipper").load().counts["shipper_records_indexed_total"] >= delivered + 5
