"""Turns the dashboards into the JSON files that Grafana reads."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.generator.api_performance import api_performance
from grafana.generator.error_rate import error_rate
from grafana.generator.general_system_health import general_system_health
from grafana.generator.log_pipeline import log_pipeline
from grafana.generator.logs_explorer import logs_explorer
from grafana.generator.oncall import oncall
from grafana.generator.overview import overview
from grafana.generator.performance_analysis import performance_analysis
from grafana.generator.request_story import request_story
from grafana.generator.slo import slo
from grafana.generator.stores import stores
from grafana.generator.system import system
from grafana.generator.top_errors import top_errors
from grafana.generator.workflow_analysis import workflow_analysis

_DASHBOARDS: Final = {
    "api-performance": api_performance,
    "error-rate": error_rate,
    "request-story": request_story,
    "top-errors": top_errors,
    "log-pipeline": log_pipeline,
    "logs-explorer": logs_explorer,
    "oncall": oncall,
    "performance-analysis": performance_analysis,
    "general-system-health": general_system_health,
    "overview": overview,
    "slo": slo,
    "stores": stores,
    "system": system,
    "workflow-analysis": workflow_analysis,
}
"""File name → the function that makes the dashboard."""


def dashboard_files() -> dict[str, str]:
    """File name → content of every dashboard."""
    return {f"{name}.json": _json(make()) for name, make in _DASHBOARDS.items()}


def write(out: Path) -> None:
    """Write the files into `out` and remove dashboards that are no longer made."""
    files = dashboard_files()
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("*.json"):
        if stale.name not in files:
            stale.unlink()
    for name, content in files.items():
        (out / name).write_text(content, encoding="utf-8")


def _json(dashboard: Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"
