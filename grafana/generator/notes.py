"""The marks on every dashboard: alerts that fired, new versions, deployments."""

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import dashboard as dm

_ALERT: Final = "red"
_CHANGE: Final = "blue"


def marks(select: str, metrics: dm.DataSourceRef, logs: dm.DataSourceRef) -> list[d.AnnotationQuery]:
    """All of them, for the series that `select` matches. A deployment is a log record, which whoever deploys writes."""
    versions = f"count by (service, version) (app_info{{{select}}})"
    return [
        _in_prometheus("Alerts", _ALERT, metrics, f'ALERTS{{alertstate="firing", alertname!="Watchdog", {select}}}', "{{alertname}}"),
        _in_prometheus("New versions", _CHANGE, metrics, f"{versions} unless {versions[:-2]}}} offset 1m)", "{{service}} {{version}}"),
        _Mark(
            "Deployments",
            _CHANGE,
            logs,
            query="event:app.deployed",
            timeField="timestamp",
            textField="message",
            tagsField="version",
            metrics=[{"id": "1", "type": "logs"}],
        ),
    ]


def _in_prometheus(name: str, colour: str, source: dm.DataSourceRef, expr: str, title: str) -> d.AnnotationQuery:
    return _Mark(name, colour, source, expr=expr, titleFormat=title, step="30s")


class _Query(dm.AnnotationQuery):
    """An annotation with what its data source is asked, for which the SDK's model has no fields."""

    asked: dict[str, Any]

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self.asked}


class _Mark(d.AnnotationQuery):
    """Builds one."""

    def __init__(self, name: str, colour: str, source: dm.DataSourceRef, **asked: Any) -> None:
        super().__init__()
        made = _Query(name=name, datasource=source, enable=True, icon_color=colour)
        made.asked = asked
        self._internal = made
