"""A short drill on a running stack; the whole one is `make drill`."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.stack import RunningStack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ALERTS = ("AuthTokenErrors", "FailedLogins")
"""One fault raises both: tokens that nobody signed, and wrong passwords."""


def _configuration(world: RunningStack) -> dict[str, bytes]:
    etc = world.declared.paths.etc
    files = [*(etc / "prometheus").rglob("*.yml"), *(etc / "alertmanager").rglob("*.yml")]
    return {str(path): path.read_bytes() for path in files}


def _loaded_rules(world: RunningStack) -> dict[str, tuple[str, float]]:
    groups = httpx.get(f"{world.url('prometheus')}/api/v1/rules", timeout=30).raise_for_status().json()["data"]["groups"]
    return {f"{rule['name']} {rule.get('labels')}": (rule["query"], rule.get("duration", 0)) for group in groups for rule in group["rules"]}


def test_a_drill_sees_an_alert_come_and_go_and_leaves_everything_as_it_was(world: RunningStack, tmp_path: Path) -> None:
    """A real fault, the rule, Alertmanager, an incident, mail, the end of all of them; then rules and waits are as before."""
    files, rules, report = _configuration(world), _loaded_rules(world), tmp_path / "report.md"
    command = [sys.executable, "-m", "app.cli", "drill", *ALERTS, "--here", "--report", str(report)]
    done = subprocess.run(command, env=world.environment, cwd=world.folder, capture_output=True, text=True, timeout=1100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [alert for alert in ALERTS if f"✓ {alert} " not in done.stdout] == []
    assert f"{len(ALERTS)} of {len(ALERTS)} provoked alerts went all the way" in report.read_text(encoding="utf-8")
    assert _configuration(world) == files
    assert _loaded_rules(world) == rules
    assert not (world.declared.paths.run / "drill-undo.jsonl").exists()
