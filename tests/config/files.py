"""Reads the configuration under test, and runs the programs that judge it."""

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.processes import CHECKOUT

RULES: Final = CHECKOUT / "prometheus" / "rules"
RULE_TESTS: Final = CHECKOUT / "prometheus" / "tests"
RUNBOOK: Final = CHECKOUT / "docs" / "runbook.md"
DASHBOARDS: Final = CHECKOUT / "grafana" / "dashboards"


def load(path: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules_of(folder: Path = RULES) -> list[dict[str, Any]]:
    """Every rule of the rule files, alerts and recording rules."""
    return [rule for path in sorted(folder.glob("*.yml")) for group in load(path)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    return [rule for rule in rules_of() if "alert" in rule]


def compose() -> dict[str, Any]:
    """docker-compose.yml with its anchors resolved and its variables as written."""
    document: dict[str, Any] = load(CHECKOUT / "docker-compose.yml")
    return document


def run(*command: str | Path, folder: Path | None = None) -> str:
    """What a program printed. AssertionError with all of it when it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout
