"""Addresses outside Grafana, from the one place that has them."""

from pathlib import Path
from typing import Final

import yaml

_THRESHOLDS: Final = Path(__file__).parent.parent.parent / "prometheus" / "thresholds.yml"


def runbook_url() -> str:
    """Address of the runbook."""
    links: dict[str, str] = yaml.safe_load(_THRESHOLDS.read_text(encoding="utf-8"))["links"]
    return links["RUNBOOK_URL"]
