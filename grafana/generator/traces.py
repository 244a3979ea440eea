"""Panels that read Jaeger, for which the SDK has no builders."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator.shared import explore_link

JAEGER: Final = dm.DataSourceRef(type_val="jaeger", uid="jaeger")


class _JaegerQuery(variants.Dataquery):
    """What Grafana's Jaeger data source is asked: a trace by its id, or traces by service and tags."""

    def __init__(self, **fields: str | int) -> None:
        self.fields = fields

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return {"datasource": JAEGER, "refId": "A", **self.fields}


class _Builder(cog.Builder[variants.Dataquery]):
    def __init__(self, **fields: str | int) -> None:
        self._fields = fields

    def build(self) -> variants.Dataquery:
        return _JaegerQuery(**self._fields)


def waterfall(title: str, shows: str, trace_id: str) -> d.Panel:
    """One trace: its spans under each other over time."""
    return (
        d.Panel()
        .type("traces")
        .title(title)
        .description(shows)
        .datasource(JAEGER)
        .with_target(_Builder(query=trace_id))
        .span(24)
        .height(11)
    )


def trace_link() -> d.DashboardLink:
    """A data link from a trace id in a table to its waterfall in Explore."""
    return explore_link("Trace", "jaeger", {"query": "${__value.text}"})
