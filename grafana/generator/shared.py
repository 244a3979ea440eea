"""What all dashboards share: data sources, variables, annotations, panel defaults, links.

A panel is made by a function of its title, what it shows and its unit, so that
none is without. Colours mean the same everywhere and are told apart by people
who see no red and green: blue is well, orange is near the limit, red is beyond.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from grafana_foundation_sdk.builders import bargauge, common, heatmap, logs, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import prometheus as pm

from grafana.generator.notes import marks

PROMETHEUS: Final = dm.DataSourceRef(type_val="prometheus", uid="${datasource}")
LOGS: Final = dm.DataSourceRef(type_val="elasticsearch", uid="elasticsearch-logs")

WELL: Final = "blue"
NEAR: Final = "orange"
BEYOND: Final = "red"

SELECT: Final = 'env=~"$env", service=~"$service"'
"""The label matchers of every query on a dashboard that has the variable `service`."""

ALL_SERVICES: Final = 'env=~"$env"'
"""The label matchers of every query on a dashboard about one thing, which a choice of services would not mean anything to."""

Panel = (
    timeseries.Panel | stat.Panel | table.Panel | logs.Panel | heatmap.Panel | statetimeline.Panel | bargauge.Panel | text.Panel | d.Panel
)

Variable = d.QueryVariable | d.TextBoxVariable | d.CustomVariable

_VARIABLE: Final = re.compile(r"(\$\{[^}]+\})")


def dashboard(
    uid: str, title: str, question: str, runbook_url: str, *, variables: Sequence[Variable] | None = None, select: str = SELECT
) -> d.Dashboard:
    """An empty dashboard with the shared variables, annotations and links. `question` is what it answers.

    `variables` follow data source and environment in place of `service`. The annotations are those of `select`.
    """
    board = (
        d.Dashboard(title)
        .uid(uid)
        .description(question)
        .tags(["nobet"])
        .readonly()
        .timezone("browser")
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(dm.DashboardCursorSync.CROSSHAIR)
        .with_variable(d.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(label_variable("env", "Environment", "label_values(app_info, env)"))
        .link(
            d.DashboardLink("Nöbet")
            .type(dm.DashboardLinkType.DASHBOARDS)
            .tags(["nobet"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .link(d.DashboardLink("Runbook").type(dm.DashboardLinkType.LINK).url(runbook_url).icon("doc").target_blank(True))
    )
    for mark in marks(select, PROMETHEUS, LOGS):
        board.annotation(mark)
    for variable in [service_variable()] if variables is None else variables:
        board.with_variable(variable)
    return board


def service_variable() -> d.QueryVariable:
    """The services that answer requests."""
    return label_variable("service", "Service", 'label_values(http_requests_in_progress{env=~"$env"}, service)', several=True)


def query(expr: str, legend: str = "", ref: str = "A", *, exemplars: bool = False) -> prometheus.Dataquery:
    """A query over the dashboard's time range."""
    return (
        prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").ref_id(ref).range().exemplar(exemplars).datasource(PROMETHEUS)
    )


def now(expr: str, ref: str = "A", legend: str = "") -> prometheus.Dataquery:
    """A query for the latest value only."""
    target = prometheus.Dataquery().expr(expr).ref_id(ref).instant().legend_format(legend or "__auto").datasource(PROMETHEUS)
    return target.format(pm.PromQueryFormat.TABLE) if not legend else target


def series(title: str, shows: str, unit: str, *targets: prometheus.Dataquery, empty: str = "No traffic") -> timeseries.Panel:
    """A time series panel. `empty` is what it says when there is nothing to draw."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(shows)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .no_value(empty)
        .color_scheme(d.FieldColor().mode(dm.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))  # the same colour in every panel
        .line_width(1)
        .fill_opacity(8)
        .show_points(cm.VisibilityMode.NEVER)
        .legend(common.VizLegendOptions().display_mode(cm.LegendDisplayMode.LIST).placement(cm.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI).sort(cm.SortOrder.DESCENDING))
        .span(12)
        .height(8)
    )
    for target in targets:
        panel.with_target(target)
    return panel


def number(
    title: str, shows: str, unit: str, target: prometheus.Dataquery, steps: d.ThresholdsConfig, *, empty: str = "No traffic"
) -> stat.Panel:
    """A single large number, coloured by its limits."""
    return (
        stat.Panel()
        .title(title)
        .description(shows)
        .datasource(PROMETHEUS)
        .unit(unit)
        .no_value(empty)
        .thresholds(steps)
        .color_scheme(d.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .color_mode(cm.BigValueColorMode.VALUE)
        .graph_mode(cm.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target)
        .span(4)
        .height(4)
    )


def limits(near: float, beyond: float) -> d.ThresholdsConfig:
    """Well below `near`, beyond the limit at `beyond`. With `beyond` the smaller one, low values are the bad ones."""
    if beyond > near:
        return steps([(None, WELL), (near, NEAR), (beyond, BEYOND)])
    return steps([(None, BEYOND), (beyond, NEAR), (near, WELL)])


def arranged(names: Mapping[str, str], *without: str) -> dm.DataTransformerConfig:
    """A table's columns in this order under these headings, those of `without` left out."""
    return dm.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(without, True),
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": dict(names),
        },
    )


def no_limits() -> d.ThresholdsConfig:
    """For numbers that are neither good nor bad."""
    return steps([(None, WELL)])


def lines(panel: timeseries.Panel, *at: tuple[float, str]) -> timeseries.Panel:
    """Draw limits as dashed lines: (value, colour)."""
    style = common.GraphThresholdsStyleConfig().mode(cm.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(steps([(None, "transparent"), *at])).thresholds_style(style)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Stack the series of a panel."""
    return panel.stacking(common.StackingConfig().mode(cm.StackingMode.NORMAL)).fill_opacity(40)


def colours(panel: timeseries.Panel, by_name: dict[str, str]) -> timeseries.Panel:
    """Give series fixed colours."""
    for name, colour in by_name.items():
        panel.override_by_name(name, [dm.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel


def logs_link(title: str, lucene: str) -> d.DashboardLink:
    """A data link to the log lines that `lucene` finds in the dashboard's time range; `${__field.labels.x}` is filled in."""
    return explore_link(title, "elasticsearch-logs", {"query": lucene, "timeField": "timestamp", "metrics": [{"id": "1", "type": "logs"}]})


def explore_link(title: str, datasource: str, query: Mapping[str, Any]) -> d.DashboardLink:
    """A data link to Explore with a query to a data source, in the dashboard's time range; `${__…}` in it is filled in."""
    panes = {"a": {"datasource": datasource, "queries": [{"refId": "A", **query}], "range": {"from": "${__from}", "to": "${__to}"}}}
    # Grafana fills in ${…} before the browser sees the address, so it must stay as it is.
    encoded = "".join(part if _VARIABLE.fullmatch(part) else quote(part, safe="") for part in _VARIABLE.split(json.dumps(panes)))
    return d.DashboardLink(title).url(f"/explore?schemaVersion=1&orgId=1&panes={encoded}").type(dm.DashboardLinkType.LINK)


def only_field(name: str, calc: str) -> common.ReduceDataOptions:
    """For a number from a table: the field that it is about, and what is made of its values."""
    return common.ReduceDataOptions().calcs([calc]).fields(f"/^{name}$/")


def steps(colours_from: Sequence[tuple[float | None, str]]) -> d.ThresholdsConfig:
    """Thresholds: from which value on which colour; the first from None."""
    thresholds = [dm.Threshold(value=value, color=colour) for value, colour in colours_from]
    return d.ThresholdsConfig().mode(dm.ThresholdsMode.ABSOLUTE).steps(thresholds)


def label_variable(name: str, label: str, values: str, *, several: bool = False) -> d.QueryVariable:
    """A variable with the values of a label: `label_values(metric{…}, label)`. With `several` it has All, and starts there."""
    variable = (
        d.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query({"query": values, "refId": f"var-{name}"})
        .refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dm.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        # No custom "all" value: Prometheus and Elasticsearch each get the list in their own syntax.
        variable.include_all(True).multi(True).current(dm.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return variable
