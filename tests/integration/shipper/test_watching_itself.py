"""The pipeline watches itself: the residual over every end of every process, and the canary from logger to search."""

import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.core.ports import PORTS
from app.core.spool import SpoolWriter
from tests.support.processes import CHECKOUT
from tests.support.shipping import Shipping
from tests.support.waiting import wait_until

pytestmark = pytest.mark.req("SHP-07", "SHP-08")

LINE = b'{"timestamp":"2026-11-22T02:15:04.123456Z","message":"x"}\n'

WRITER = f"""
import sys, time
from pathlib import Path
from app.core.spool import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), "killed", segment_bytes=2000, max_bytes=1 << 30)
print("writing", flush=True)
while writer.append({LINE!r}):
    time.sleep(0.001)
"""


def residual(shipping: Shipping) -> float:
    """Written - indexed - dead - dropped - backlog, once the backlog is gone."""
    metrics = shipping.metrics()
    assert metrics["shipper_backlog_records"] == 0
    return metrics["shipper_residual_records"]


def goes_on(shipping: Shipping) -> None:
    """Wait until further records are delivered."""
    before = shipping.metrics()["shipper_records_indexed_total"]
    wait_until("it ships", lambda: shipping.metrics()["shipper_records_indexed_total"] > before + 200, 60)


@pytest.mark.timeout(300)
def test_the_residual_is_0_after_writers_and_shippers_were_killed(shipping: Shipping) -> None:
    """Kill -9 of either under load leaves it at exactly 0; a segment that somebody removes shows with its records."""
    shipping.start()
    wait_until("the shipper knows the residual", lambda: shipping.metrics()["shipper_residual_records"] == 0, 60)
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(shipping.spool)]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE) as process, shipping.producer.writing():
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
            goes_on(shipping)
            process.kill()
            shipping.kill(signal.SIGKILL)
            shipping.start()
    wait_until("nothing is left", lambda: shipping.metrics()["shipper_backlog_records"] == 0, 120)
    wait_until("the residual is 0", lambda: residual(shipping) == 0, 60)
    metrics = shipping.metrics()
    assert metrics["shipper_spool_written_records"] >= metrics["shipper_records_indexed_total"] > 600

    writer = SpoolWriter(shipping.spool, "removed", segment_bytes=1 << 20, max_bytes=1 << 30)
    shipping.kill()
    writer.append(LINE * 7, 7)
    next(shipping.spool.glob("removed.*")).unlink()
    writer.close()
    shipping.start()
    wait_until("the loss shows", lambda: residual(shipping) == 7, 60)


@pytest.mark.timeout(300)
def test_the_canary_is_found_while_records_arrive_and_only_then(shipping: Shipping) -> None:
    """Without a shipper none is found, whatever else is well; as soon as one ships, the waiting ones are, with their delay."""
    process = start_cleanup(shipping)
    try:
        wait_until("canaries are written", lambda: canary(shipping, "canary_records_total", outcome="written") >= 3, 60)
        assert canary(shipping, "canary_records_total", outcome="found") == 0
        assert canary(shipping, "canary_last_found_timestamp_seconds") == 0
        shipping.start()
        wait_until("they are found", lambda: canary(shipping, "canary_records_total", outcome="found") >= 3, 60)
        assert canary(shipping, "canary_last_found_timestamp_seconds") > 0
        assert canary(shipping, "canary_delay_seconds_sum") > 0
        assert canary(shipping, "canary_records_total", outcome="missing") == 0
    finally:
        process.terminate()
        process.wait(60)


def start_cleanup(shipping: Shipping) -> "subprocess.Popen[bytes]":
    """The process that keeps the canary, on this test's spool and indices."""
    variables = {
        "ELASTICSEARCH_CLEANUP_PASSWORD": shipping.stack.sign_in("cleanup")[1],
        "LOG_ARCHIVE_DIR": str(shipping.spool.parent / "archive"),
        "CANARY_SECONDS": "1",  # so many may wait that a slow start of the shipper makes none a missing one
    }
    command = [sys.executable, "-m", "app.cleanup"]
    return subprocess.Popen(command, env=shipping.environment | variables, cwd=shipping.spool.parent)


def canary(shipping: Shipping, name: str, **labels: Any) -> float:
    """A metric of the cleanup process."""
    offset = int(shipping.environment["STACK_PORT_OFFSET"])
    answer = httpx.get(f"http://127.0.0.1:{PORTS['cleanup'] + offset}/metrics", timeout=5, trust_env=False).raise_for_status()
    samples = (sample for family in text_string_to_metric_families(answer.text) for sample in family.samples)
    return next(sample.value for sample in samples if sample.name == name and sample.labels == labels)
