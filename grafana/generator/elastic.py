"""Queries for Elasticsearch: log lines, counts over time, groups with the first and the last time, documents as rows.

A query is Lucene. Fields are those of the telemetry contract, and the tests refuse others.
"""

import json
from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import elasticsearch as es
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import elasticsearch as em

from grafana.generator.shared import LOGS

EVENTS: Final = dm.DataSourceRef(type_val="elasticsearch", uid="elasticsearch-events")
DEAD_LETTERS: Final = dm.DataSourceRef(type_val="elasticsearch", uid="elasticsearch-dead")

FIRST_SEEN: Final = "Min"
LAST_SEEN: Final = "Max"
SOMEBODY: Final = "Unique Count"
"""Names that Grafana gives to the columns of `grouped`."""

_TIME: Final = "timestamp"
_DEAD_AT: Final = "dead_at"
"""A line that is no record has no time of its own, so dead letters stand at the time of their refusal."""
_MOST_ROWS: Final = 500


def lines(lucene: str, ref: str = "A", limit: int = _MOST_ROWS) -> es.Dataquery:
    """The newest log records, for a panel of log lines."""
    metric = es.Logs().id("1").settings(es.ElasticsearchLogsSettings().limit(str(limit)))
    return _query(lucene, LOGS, ref).metrics([metric])


def rows(lucene: str, source: dm.DataSourceRef, ref: str = "A", limit: int = _MOST_ROWS) -> es.Dataquery:
    """The newest documents, for a table; every field is a column."""
    metric = es.RawData().id("1").settings(es.ElasticsearchRawDataSettings().size(str(limit)))
    return _query(lucene, source, ref).metrics([metric])


def counted(lucene: str, by: str = "", source: dm.DataSourceRef = LOGS, ref: str = "A", alias: str = "") -> es.Dataquery:
    """How many over time, apart by the values of a field."""
    over_time = es.DateHistogram().id("2").field(_time(source)).settings(_over_time())
    query = _query(lucene, source, ref).metrics([es.Count().id("1")])
    if not by:
        return query.bucket_aggs([over_time]).alias(alias or "Count")
    return query.bucket_aggs([es.Terms().id("3").field(by).settings(_most(10)), over_time]).alias(alias or f"{{{{term {by}}}}}")


def largest(lucene: str, field: str, ref: str = "A") -> es.Dataquery:
    """The largest value of a field over time."""
    over_time = es.DateHistogram().id("2").field(_TIME).settings(_over_time())
    return _query(lucene, LOGS, ref).metrics([es.Max().id("1").field(field)]).bucket_aggs([over_time])


def grouped(lucene: str, fields: tuple[str, ...], *, newest_first: bool = False, size: int = 25, ref: str = "A") -> es.Dataquery:
    """One row for each combination of the fields: how many, when first and last, and of how many users. `size`: most values of the first.

    Records without one of the fields count too, as `-`. With `newest_first` what began last comes first, else the most frequent.
    """
    order = "4" if newest_first else "_count"
    return (
        _query(lucene, LOGS, ref)
        .metrics(
            [es.Count().id("1"), es.Min().id("4").field(_TIME), es.Max().id("5").field(_TIME), es.UniqueCount().id("6").field("user_id")]
        )
        .bucket_aggs(
            [
                es.Terms().id(str(10 + place)).field(field).settings(_most(5 if place else size, order, missing="-"))
                for place, field in enumerate(fields)
            ]
        )
    )


def terms_variable(name: str, label: str, field: str, lucene: str = "*", *, several: bool = True, size: int = 100) -> d.QueryVariable:
    """A variable with the values that a field has in the time range, most frequent first where there is only one to be chosen."""
    wanted = {"find": "terms", "field": field, "query": lucene, "size": size, "orderBy": "term" if several else "doc_count"}
    variable = (
        d.QueryVariable(name)
        .label(label)
        .datasource(LOGS)
        .query(json.dumps(wanted))
        .refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dm.VariableSort.ALPHABETICAL_ASC if several else dm.VariableSort.DISABLED)
    )
    if several:
        variable.include_all(True).multi(True).current(dm.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return variable


def _query(lucene: str, source: dm.DataSourceRef, ref: str) -> es.Dataquery:
    return es.Dataquery().query(lucene).time_field(_time(source)).datasource(source).ref_id(ref)


def _time(source: dm.DataSourceRef) -> str:
    return _DEAD_AT if source.uid == DEAD_LETTERS.uid else _TIME


def _over_time() -> es.ElasticsearchDateHistogramSettings:
    return es.ElasticsearchDateHistogramSettings().interval("auto").min_doc_count("0").trim_edges("0")


def _most(size: int, order_by: str = "_count", missing: str = "") -> es.ElasticsearchTermsSettings:
    settings = es.ElasticsearchTermsSettings().order(em.TermsOrder.DESC).order_by(order_by).size(str(size)).min_doc_count("1")
    return settings.missing(missing) if missing else settings
