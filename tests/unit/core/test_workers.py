"""Several workers give one truth: sums that never fall, gauges of the living only, exemplars, bounded files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

WORKER = """
import os, signal, sys
from app.core import metrics
metrics.start("app", "1", "test")
metrics.counter("http_requests_total").labels("GET", "/feed", "200").inc(10)
metrics.gauge("http_requests_in_progress").inc(3)
metrics.histogram("http_request_duration_seconds").labels("/feed").observe(0.15)
metrics.remember_exemplar("http_request_duration_seconds", 0.15, f"{os.getpid():032x}", endpoint="/feed")
if sys.argv[1] == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.read()
"""

SCRAPE = """
import sys
from app.core import metrics
from app.core.config import get_settings
from app.core.system_metrics import SystemCollector
metrics.start("app", "1", "test")
metrics.use_collector(SystemCollector(get_settings(), with_host=True))
body, kind = metrics.exposition("application/openmetrics-text; version=1.0.0")
sys.stdout.buffer.write(body)
"""


def spawn(folder: Path, how: str) -> subprocess.Popen[str]:
    """One worker that shares the folder."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, how],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": "."},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def scrape(folder: Path) -> dict[tuple[str, str], float]:
    """Name and sorted labels of each sample, and its value."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", SCRAPE], env=env, capture_output=True, text=True, check=True)
    found = {}
    for family in text_string_to_metric_families(done.stdout):
        for sample in family.samples:
            found[sample.name, ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))] = sample.value
            if sample.exemplar:
                found["exemplar", sample.labels["le"]] = sample.exemplar.value
    return found


REQUESTS = ("http_requests_total", "endpoint=/feed,method=GET,status_code=200")


@pytest.mark.req("HTM-18", "SYS-03", "SYS-04", "TRC-09")
def test_counters_outlive_their_workers_and_gauges_do_not(tmp_path: Path) -> None:
    """Two living and three killed workers: counters of all five, gauges of the two, an exemplar, a row per living worker."""
    for _ in range(3):
        dying = spawn(tmp_path, "dies")
        dying.communicate()
        assert dying.returncode != 0
    living = [spawn(tmp_path, "lives") for _ in range(2)]
    try:
        for worker in living:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        found = scrape(tmp_path)
        assert found[REQUESTS] == 50
        assert found["http_request_duration_seconds_count", "endpoint=/feed"] == 5
        assert found["http_request_duration_seconds_bucket", "endpoint=/feed,le=0.1"] == 0
        assert found["http_request_duration_seconds_bucket", "endpoint=/feed,le=0.2"] == 5
        assert found["http_requests_in_progress", ""] == 6
        assert found["exemplar", "0.2"] == 0.15
        assert found["process_workers", ""] == 3, "the two and the one that scrapes"
        assert found["process_resident_memory_bytes", "worker=0"] > 1e6
        assert found["process_heap_bytes", "worker=1"] > 1e6
        assert scrape(tmp_path)[REQUESTS] == 50, "folding the dead away changes nothing"
    finally:
        for worker in living:
            worker.communicate()


@pytest.mark.req("HTM-18")
def test_workers_that_die_again_and_again_leave_a_bounded_number_of_files(tmp_path: Path) -> None:
    """After 20 deaths the counter says all of them, and the folder holds no more files than before."""
    sizes = []
    for round_number in range(1, 5):
        for _ in range(5):
            spawn(tmp_path, "dies").communicate()
        assert scrape(tmp_path)[REQUESTS] == round_number * 50
        scrape(tmp_path)
        sizes.append(len(list(tmp_path.iterdir())))
    assert sizes[-1] <= sizes[0]


@pytest.mark.req("HTM-18")
def test_a_file_without_content_hides_no_metric(tmp_path: Path) -> None:
    """A worker that was killed, or is looked at, between making its file and giving it a size; the dead one's is removed."""
    spawn(tmp_path, "dies").communicate()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid in (gone.pid, os.getpid()):
        (tmp_path / f"counter_{pid}.db").touch()
        (tmp_path / f"gauge_liveall_{pid}.db").touch()
    assert scrape(tmp_path)[REQUESTS] == 10
    assert not list(tmp_path.glob(f"*_{gone.pid}.db"))


@pytest.mark.req("HTM-16")
def test_a_group_of_metrics_can_be_switched_off(tmp_path: Path) -> None:
    """METRICS_DISABLED_GROUPS=http,system takes these names away and nothing else."""
    code = WORKER.replace("sys.stdin.read()", "sys.stdout.write(metrics.exposition(None)[0].decode())")
    env = {**os.environ, "METRICS_DISABLED_GROUPS": "http,system", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", code, "lives"], env=env, capture_output=True, text=True, check=True)
    assert "http_requests" not in done.stdout
    assert "log_records_emitted_total" in done.stdout


def test_a_service_of_ones_own_gets_the_metrics_of_every_web_service(tmp_path: Path) -> None:
    """A name that the contract doesn't know is no reason to go without counters born at zero."""
    code = WORKER.replace('metrics.start("app"', 'metrics.start("orders"').replace(
        "sys.stdin.read()", "sys.stdout.write(metrics.exposition(None)[0].decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "lives"], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, check=True
    )
    assert 'log_records_dropped_total{reason="spool_full"} 0.0' in done.stdout
    assert "feed_loads_total" not in done.stdout
