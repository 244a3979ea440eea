"""docs/retention.md is the policy: each number in it is what the stack does."""

import re

import pytest

from app.core.config import Settings
from app.stack.components.metrics import PROMETHEUS
from tests.config.files import compose
from tests.support.processes import CHECKOUT

PAGE = (CHECKOUT / "docs" / "retention.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
DAYS = {"LOG_RETENTION_DAYS": 90, "LOG_ARCHIVE_DAYS": 365, "TRACE_RETENTION_DAYS": 30, "PROMETHEUS_RETENTION": 30}


def _stated(setting: str) -> set[int]:
    """The numbers of days that the table gives where it names a setting."""
    return {int(number) for row in ROWS if setting in row[-1] for number in re.findall(r"(\d+) days", row[2])}


@pytest.mark.req("RET-01", "RET-09", "RET-10", "BAK-04")
@pytest.mark.parametrize(("setting", "days"), DAYS.items())
def test_the_policy_states_what_is_in_force(setting: str, days: int) -> None:
    """Each store's default is the number in the table."""
    default = Settings.model_fields[setting.lower()].default
    assert default in (days, f"{days}d")
    assert _stated(setting) == {days}


@pytest.mark.req("RET-09")
def test_both_ways_hand_the_retention_to_prometheus() -> None:
    """Natively and with Compose the setting becomes Prometheus' own flag."""
    assert "--storage.tsdb.retention.time={settings.prometheus_retention}" in PROMETHEUS.arguments
    command = " ".join(compose()["services"]["prometheus"]["command"])
    assert re.search(r"--storage\.tsdb\.retention\.time=\$\{PROMETHEUS_RETENTION:-30d\}", command)


@pytest.mark.parametrize(
    "setting", ["LOG_RETENTION_DAYS", "LOG_ARCHIVE_DAYS", "TRACE_RETENTION_DAYS", "LOG_CLEANUP_AT", "LOG_CLEANUP_TIMEZONE"]
)
def test_compose_has_the_same_defaults(setting: str) -> None:
    """A stack in containers keeps logs as long as a native one."""
    value = compose()["services"]["cleanup"]["environment"][setting]
    assert value == f"${{{setting}:-{Settings.model_fields[setting.lower()].default}}}"
