"""What the request path does to metrics, without what it would pay for and doesn't need.

`Counter.inc` checks on every call that the metric has its labels, that the amount isn't negative and that no exemplar came
along; `Histogram.observe` asks each bucket in turn. `adder` and `observer` ask once and return the rest. And a value that
several workers share is looked up in its file by a long text on each change, after the process id was asked for:
`SharedValue` remembers its place instead and notices a fork when it happens. Files and sums are the library's.
"""

import os
import threading
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.mmap_dict import MmapedDict, mmap_key

Add = Callable[[float], None]


def adder(child: Counter | Gauge) -> Add:
    """`inc` of a metric that has all its labels; for amounts that are never negative on a counter."""
    value = getattr(child, "_value", None)
    return child.inc if value is None else value.inc  # None: a metric that is switched off


def observer(child: Histogram) -> Add:
    """`observe` of a histogram that has all its labels."""
    if getattr(child, "_buckets", None) is None:
        return child.observe
    edges, add_to_sum = child._upper_bounds, child._sum.inc
    add_to = [bucket.inc for bucket in child._buckets]

    def observe(value: float) -> None:
        add_to_sum(value)
        add_to[bisect_left(edges, value)](1)

    return observe


class SharedValue:
    """A number in this worker's metrics file; takes the place of the library's own class of the same duties."""

    _multiprocess = True

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Any,
        labelvalues: Any,
        help_text: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._file = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(metric_name, name, labelnames, labelvalues, help_text)
        with _Shared.lock:
            self._take_place()
            _Shared.values.append(self)

    def _take_place(self) -> None:
        self._place: memoryview[float]
        self._value: float
        self._place, self._value = _Shared.place(self._file, self._key)

    def inc(self, amount: float) -> None:
        """Add."""
        with _Shared.lock:
            self._place[0] = self._value = self._value + amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace."""
        with _Shared.lock:
            self._value = value
            self._place[0], self._place[1] = value, timestamp or 0.0

    def get(self) -> float:
        """This worker's share."""
        return self._value

    def set_exemplar(self, exemplar: Any) -> None:
        """Files have no room for exemplars; see `app.core.worker_metrics`."""

    def get_exemplar(self) -> None:
        """None: see `set_exemplar`."""
        return


class _Shared:
    """The files of this process, and all values in them."""

    lock = threading.Lock()
    files: Final[dict[str, MmapedDict]] = {}
    values: Final[list[SharedValue]] = []

    @classmethod
    def place(cls, file: str, key: str) -> tuple["memoryview[float]", float]:
        """Where a value and its time stand in the file, as two floats that can be written, and the value.

        Writing an item of such a view is one copy of eight bytes, so that a reader never sees half a number. A file that
        grows is mapped anew by the library; the old mapping shows the same bytes and stays as long as its views do.
        """
        if file not in cls.files:
            cls.files[file] = MmapedDict(str(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / f"{file}_{os.getpid()}.db"))
        values = cls.files[file]
        value, _time = values.read_value(key)
        start = values._positions[key]
        return memoryview(values._m)[start : start + 16].cast("d"), value

    @classmethod
    def begin_anew(cls) -> None:
        """In a forked child: files of its own, which begin at 0; those of the parent stay the parent's."""
        cls.lock = threading.Lock()
        for file in cls.files.values():
            file._f.close()
        cls.files.clear()
        for value in cls.values:
            value._take_place()


os.register_at_fork(after_in_child=_Shared.begin_anew)
