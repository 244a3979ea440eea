"""Critical events are never left out; the rest keeps to sample, limits and quota, and what is left out is counted."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.config import load_settings
from app.core.error_limits import MOST_KINDS, Gate
from app.core.error_quota import FOLDER, MonthlyQuota
from app.core.sampling import share_of
from tests.support.asgi import sample
from tests.support.processes import CHECKOUT

NOVEMBER = 1_795_305_600.0
"""2026-11-22."""

MONTH = 31 * 86400


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


def gate_of(clock: Callable[[], float], quota: MonthlyQuota | None = None, **settings: Any) -> Gate:
    """A gate with these settings and no limits besides."""
    plain = {"sentry_events_per_minute_of_a_kind": 0, "sentry_events_per_minute": 0, **settings}
    return Gate(load_settings(_env_file=None, **plain), quota or MonthlyQuota(0, None), clock)


@pytest.mark.req("SMP-01", "SMP-02")
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_share_is_sent_and_the_id_decides(share: float) -> None:
    """Of 1000 errors about the share goes out; asked again, the same ids do: another process decides alike."""
    gate = gate_of(Clock(), sentry_sample_rate=share)
    ids = [f"request-{number}" for number in range(1000)]
    sent = [ident for ident in ids if gate.admit("a", ident, critical=False) is not None]
    assert abs(len(sent) - 1000 * share) <= 40
    assert sent == [ident for ident in ids if gate.admit("b", ident, critical=False) is not None]


@pytest.mark.req("SMP-03")
def test_a_flood_of_one_error_is_capped_and_another_still_arrives() -> None:
    """30 a minute of a kind; the next that is sent tells how many there were in between."""
    clock = Clock()
    gate = gate_of(clock, sentry_events_per_minute_of_a_kind=30)
    before = sample("error_events_suppressed_total", reason="repeated")
    assert sum(gate.admit("flood", None, critical=False) is not None for _ in range(1000)) == 30
    assert sample("error_events_suppressed_total", reason="repeated") - before == 970
    assert gate.admit("other", None, critical=False) == 0
    clock.now += 60
    assert gate.admit("flood", None, critical=False) == 970


@pytest.mark.req("SMP-03")
def test_many_kinds_together_keep_to_the_overall_limit() -> None:
    """300 a minute, whatever they are; a critical one arrives all the same."""
    gate = gate_of(Clock(), sentry_events_per_minute=300)
    assert sum(gate.admit(f"kind-{number}", None, critical=False) is not None for number in range(900)) == 300
    assert gate.admit("payment", None, critical=True) == 0


@pytest.mark.req("SMP-03")
@pytest.mark.parametrize(
    ("names", "critical"), [(("fatal",), True), (("error", None, "payment"), True), (("error", "ValueError", None), False)]
)
def test_what_is_critical_is_a_setting(names: tuple[str | None, ...], critical: bool) -> None:
    """By default the level fatal and the category payment are."""
    assert gate_of(Clock()).is_critical(*names) is critical


def test_kinds_are_bounded() -> None:
    """Texts that a stranger makes up can't fill the memory."""
    gate = gate_of(Clock(), sentry_events_per_minute_of_a_kind=1)
    for number in range(MOST_KINDS + 10):
        gate.admit(f"kind-{number}", None, critical=False)
    assert len(gate._kinds) == MOST_KINDS


COUNTING = """
import sys
from pathlib import Path
from app.core.error_quota import MonthlyQuota
quota = MonthlyQuota(6000, Path(sys.argv[1]), lambda: float(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(quota.is_warning(quota.count()) for _ in range(3000)))
"""


@pytest.mark.req("SMP-04", "J-22")
def test_the_quota_is_shared_and_survives_a_restart(tmp_path: Path) -> None:
    """Two processes count in one place and lose nothing; one of them is the one to warn; a third that starts later knows."""
    command = [sys.executable, "-c", COUNTING, str(tmp_path), str(NOVEMBER)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) for _ in range(2)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    warnings = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(warnings) == 1
    late = MonthlyQuota(6000, tmp_path, lambda: NOVEMBER)
    assert (late.used, late.share, late.exhausted) == (6000, 1.0, True)


@pytest.mark.req("SMP-04")
def test_a_new_month_begins_at_nothing(tmp_path: Path) -> None:
    """Also in a process that goes on running, and before anything is sent."""
    clock = Clock()
    clock.now = NOVEMBER
    quota = MonthlyQuota(10, tmp_path, clock)
    for _ in range(10):
        quota.count()
    clock.now += MONTH
    assert (quota.refresh(), quota.exhausted) == (0, False)


@pytest.mark.req("SMP-04", "SMP-03")
def test_beyond_the_quota_only_critical_events_go_out(tmp_path: Path) -> None:
    """The rest is counted as left out."""
    quota = MonthlyQuota(1, tmp_path)
    gate = gate_of(Clock(), quota)
    quota.count()
    before = sample("error_events_suppressed_total", reason="quota")
    assert gate.admit("usual", None, critical=False) is None
    assert gate.admit("payment", None, critical=True) == 0
    assert sample("error_events_suppressed_total", reason="quota") == before + 1


@pytest.mark.parametrize("content", ["", "garbage"])
def test_a_broken_count_costs_the_count_and_no_event(tmp_path: Path, content: str) -> None:
    """An unreadable file is counted past, in this process."""
    quota = MonthlyQuota(10, tmp_path, lambda: NOVEMBER)
    (tmp_path / FOLDER / "sent-2026-11").write_text(content)
    assert quota.count() == 1


@pytest.mark.req("SMP-09")
def test_an_id_has_one_place() -> None:
    """The number of docs/error-tracking.md, which clients compare theirs with."""
    assert [round(share_of(ident), 6) for ident in ("abc123", "tok12345")] == [0.10847, 0.098463]
