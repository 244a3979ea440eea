"""Panels that read Elasticsearch: log lines, bars of counts, tables of groups and of documents, numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import common, logs, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import elasticsearch as es
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s

LEVELS: Final[dict[str, str]] = {"debug": "light-blue", "info": "blue", "warning": "orange", "error": "red", "critical": "dark-purple"}
"""The colour of each level, everywhere."""

Column = tuple[str, str]
"""The title of a column and its unit; no unit for words."""


def log_lines(title: str, shows: str, target: es.Dataquery, *, oldest_first: bool = False) -> logs.Panel:
    """Log lines; each opens to all its fields, with links to its trace and its story."""
    return (
        logs.Panel()
        .title(title)
        .description(shows)
        .datasource(s.LOGS)
        .with_target(target)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(cm.LogsSortOrder.ASCENDING if oldest_first else cm.LogsSortOrder.DESCENDING)
        .span(24)
        .height(12)
    )


def bars(title: str, shows: str, target: es.Dataquery, *, empty: str, colours: Mapping[str, str] | None = None) -> timeseries.Panel:
    """Stacked bars: how many in each interval."""
    panel = (
        s.stacked(s.series(title, shows, "short", empty=empty))
        .datasource(s.LOGS)
        .with_target(target)
        .draw_style(cm.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
    )
    return s.colours(panel, dict(colours or {}))


def total(title: str, shows: str, unit: str, target: es.Dataquery, steps: d.ThresholdsConfig, *, calc: str, empty: str) -> stat.Panel:
    """One large number out of all that the query finds: `calc` is sum, max, lastNotNull or count."""
    return (
        stat.Panel()
        .title(title)
        .description(shows)
        .datasource(s.LOGS)
        .unit(unit)
        .no_value(empty)
        .thresholds(steps)
        .color_scheme(d.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .color_mode(cm.BigValueColorMode.VALUE)
        .graph_mode(cm.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs([calc]))
        .with_target(target)
        .span(4)
        .height(4)
    )


def rows(title: str, shows: str, target: es.Dataquery, columns: Mapping[str, Column], *, empty: str, sort: str = "") -> table.Panel:
    """A table of these columns in this order: name in the answer → (title, unit). With `sort`, the largest of that column first."""
    panel = (
        table.Panel()
        .title(title)
        .description(shows)
        .datasource(s.LOGS)
        .no_value(empty)
        .with_target(target)
        .with_transformation(dm.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(columns)}}))
        .with_transformation(s.arranged({name: heading for name, (heading, _) in columns.items()}))
        .unit("string")
        .span(24)
        .height(9)
    )
    for heading, unit in columns.values():
        # What the panel says when it is empty would otherwise stand in each empty cell.
        panel.override_by_name(heading, [dm.DynamicConfigValue("unit", unit or "string"), dm.DynamicConfigValue("noValue", "-")])
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel


def linked(panel: table.Panel, column: str, links: Sequence[d.DashboardLink]) -> table.Panel:
    """The table with links in the cells of a column."""
    made: list[dict[str, Any]] = [{"title": link.build().title, "url": link.build().url} for link in links]
    return panel.override_by_name(column, [dm.DynamicConfigValue("links", made)])
