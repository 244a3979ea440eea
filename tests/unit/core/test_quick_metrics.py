"""The short ways to a metric move it exactly as the library's own do."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from app.core.metrics import _Nothing
from app.core.quick_metrics import adder, observer

EDGES = (0.1, 0.5, 1.0)


@given(st.lists(st.floats(-1, 2) | st.sampled_from([*EDGES, 0.0, float("inf")]), max_size=12))
def test_an_observer_fills_the_buckets_that_observe_fills(values: list[float]) -> None:
    """On, below and above every edge."""
    ours, theirs = (Histogram("h", "h", buckets=EDGES, registry=None) for _ in range(2))
    observe = observer(ours)
    for value in values:
        observe(value)
        theirs.observe(value)
    assert [family.samples for family in ours.collect()] == [family.samples for family in theirs.collect()]


def test_an_adder_adds_to_counters_and_gauges() -> None:
    """Also below zero, where the metric is a gauge."""
    counter, gauge = Counter("c", "c", registry=None), Gauge("g", "g", ["name"], registry=None)
    adder(counter)(2.5)
    adder(gauge.labels("a"))(-3)
    assert [sample.value for family in (*counter.collect(), *gauge.collect()) for sample in family.samples] == [2.5, -3]


def test_a_metric_that_is_switched_off_stays_silent() -> None:
    """No settings make the request path fail."""
    adder(_Nothing())(1)  # type: ignore[arg-type]
    observer(_Nothing())(1)  # type: ignore[arg-type]


WORKER = """
import os
from prometheus_client import Counter, Gauge, Histogram
from app.core import metrics
from app.core.quick_metrics import adder, observer
count = Counter("c", "c", ["n"], registry=None)
adder(count.labels("a"))(1)
size = Gauge("g", "g", registry=None, multiprocess_mode="livesum")
size.set(4)
observer(Histogram("h", "h", buckets=(1, 2), registry=None))(2)
many = [count.labels(str(number)) for number in range(1500)]  # more than the file holds at first
adder(count.labels("a"))(1)
many[7].inc(5)
child = os.fork()
adder(count.labels("a"))(10 if child == 0 else 100)
adder(many[7])(1)
assert count.labels("a")._value.get() == (10 if child == 0 else 102), count.labels("a")._value.get()
if child:
    os.waitpid(child, 0)
    size.dec()
os._exit(0)
"""


def test_workers_share_their_numbers_through_files_that_the_library_reads(tmp_path: Path) -> None:
    """Each process has a file of its own, also after a fork and after the file has grown; the library's collector adds them up."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", WORKER], env=environment, check=True, timeout=60)
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    files = [str(path) for path in tmp_path.glob("*.db")]
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in MultiProcessCollector.merge(files, accumulate=True)
        for sample in family.samples
    }
    assert samples["c_total", "a"] == 112
    assert samples["c_total", "7"] == 7
    assert sum(value for (name, *_), value in samples.items() if name == "g") == 3
    assert (samples["h_bucket", "1.0"], samples["h_bucket", "2.0"], samples["h_sum",]) == (0, 1, 2)
