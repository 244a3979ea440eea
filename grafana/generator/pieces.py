"""Kinds of panels that several dashboards draw: bars, states over time, tiles, tables of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s

_UP_DOWN: Final = dm.ValueMap(
    options={
        "1": dm.ValueMappingResult(text="Up", color=s.WELL, index=0),
        "0": dm.ValueMappingResult(text="Down", color=s.BEYOND, index=1),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of numbers: its heading, its unit, and the PromQL of its values, one for each row."""

    name: str
    unit: str
    expr: str
    decimals: int | None = None


def bars(
    title: str, shows: str, unit: str, *targets: prometheus.Dataquery, steps: d.ThresholdsConfig, empty: str, most: float | None = None
) -> bargauge.Panel:
    """Horizontal bars of the latest values, coloured by their limits; `most` is the end of the scale."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(shows)
        .datasource(s.PROMETHEUS)
        .unit(unit)
        .min(0)
        .no_value(empty)
        .thresholds(steps)
        .color_scheme(d.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .orientation(cm.VizOrientation.HORIZONTAL)
        .display_mode(cm.BarGaugeDisplayMode.BASIC)
        .text(common.VizTextDisplayOptions().title_size(14).value_size(16))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(12)
        .height(8)
    )
    for target in targets:
        panel.with_target(target)
    return panel if most is None else panel.max(most)


def up_or_down(title: str, shows: str, target: prometheus.Dataquery, *, empty: str) -> statetimeline.Panel:
    """A line for each thing that is 1 when it works and 0 when it doesn't, over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(shows)
        .datasource(s.PROMETHEUS)
        .with_target(target)
        .mappings([_UP_DOWN])
        .unit("none")
        .no_value(empty)
        .span(12)
        .height(8)
    )


def tiles(title: str, shows: str, target: prometheus.Dataquery, *, empty: str) -> stat.Panel:
    """A tile for each thing that is up or down right now."""
    return (
        s.number(title, shows, "none", target, s.limits(1, 0.5), empty=empty)
        .mappings([_UP_DOWN])
        .color_mode(cm.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(cm.BigValueGraphMode.NONE)
        .text_mode(cm.BigValueTextMode.VALUE_AND_NAME)
        .span(24)
        .height(5)
    )


def ceiling(panel: timeseries.Panel, name: str) -> timeseries.Panel:
    """Draw a series as the upper limit that it is: a dashed line without an area below it."""
    dashes = {"fill": "dash", "dash": [10, 10]}
    return panel.override_by_name(
        name,
        [
            dm.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": s.BEYOND}),
            dm.DynamicConfigValue("custom.fillOpacity", 0),
            dm.DynamicConfigValue("custom.lineStyle", dashes),
        ],
    )


def numbers_of(
    title: str,
    shows: str,
    labels: dict[str, str],
    columns: Sequence[Column],
    *,
    sort: str,
    empty: str = "No traffic",
    least_first: bool = False,
) -> table.Panel:
    """A table with a row for each combination of `labels` (label → heading), ordered by the column `sort`, the largest first."""
    panel = (
        table.Panel()
        .title(title)
        .description(shows)
        .datasource(s.PROMETHEUS)
        .no_value(empty)
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(not least_first)])
        .span(24)
        .height(9)
    )
    values = {}
    for number, column in enumerate(columns):
        ref = chr(ord("A") + number)
        # With one query alone Grafana calls its values "Value", with several "Value #A".
        values[f"Value #{ref}" if len(columns) > 1 else "Value"] = column.name
        panel.with_target(s.now(column.expr, ref))
        # What the panel says when it is empty would otherwise stand in each empty cell.
        cell = [dm.DynamicConfigValue("unit", column.unit), dm.DynamicConfigValue("noValue", "-")]
        if column.decimals is not None:
            cell.append(dm.DynamicConfigValue("decimals", column.decimals))
        panel.override_by_name(column.name, cell)
    merged = panel.with_transformation(dm.DataTransformerConfig(id_val="merge", options={}))
    return merged.with_transformation(s.arranged({**labels, **values}, "Time"))
