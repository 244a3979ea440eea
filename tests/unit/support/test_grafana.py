"""The stand-in for Grafana asks what Grafana would ask."""

import pytest

from tests.support.grafana.msearch import found, search
from tests.support.grafana.variables import Style, Value, fill

ONE = Value(("app",))
BOTH = Value(("app", "voice"), several=True)
LINES = {"id": "1", "type": "logs"}


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ('x{service=~"$several"}', "prometheus", 'x{service=~"(app|voice)"}'),
        ('x{service="$one"}', "prometheus", 'x{service="app"}'),
        ('x{path=~"$dotted"}', "prometheus", r'x{path=~"a\\.b"}'),
        ('label_replace(x, "a", "${1}xx", "b", "(.).*")', "prometheus", 'label_replace(x, "a", "${1}xx", "b", "(.).*")'),
        ("service_name:$several", "lucene", 'service_name:("app" OR "voice")'),
        ("service_name:${several:lucene} AND a:$slash", "lucene", r'service_name:("app" OR "voice") AND a:\/feed'),
        ("${several:pipe} ${several:csv}", "raw", "app|voice app,voice"),
        ("$all", "prometheus", ".*"),
    ],
)
def test_variables_are_filled_in_as_grafana_does(text: str, style: Style, expected: str) -> None:
    """Several values become an alternative, each escaped for the language that it stands in."""
    values = {
        "one": ONE,
        "several": BOTH,
        "dotted": Value(("a.b",), several=True),
        "slash": Value(("/feed",)),
        "all": Value((".*",), verbatim=True),
    }
    assert fill(text, values, style) == expected


def test_a_variable_that_a_dashboard_lacks_is_an_error() -> None:
    """A misspelt name is not asked as it stands."""
    with pytest.raises(KeyError):
        fill('x{service="$servise"}', {"service": ONE}, "prometheus")


def test_log_lines_are_searched_newest_first_in_the_time_range() -> None:
    """The query text becomes a query_string beside the range."""
    body = search({"timeField": "timestamp", "metrics": [LINES]}, "level:error", 1000, 2000, 10)
    within, wanted = body["query"]["bool"]["filter"]
    assert within["range"]["timestamp"]["gte"] == 1000
    assert wanted["query_string"]["query"] == "level:error"
    assert next(iter(body["sort"][0].values()))["order"] == "desc"


def test_buckets_are_nested_and_ordered_as_asked() -> None:
    """Terms by a metric bring the metric along; the interval of a histogram over time is the panel's."""
    query = {
        "metrics": [{"id": "1", "type": "count"}, {"id": "4", "type": "max", "field": "duration_ms"}],
        "bucketAggs": [
            {"id": "2", "type": "terms", "field": "event", "settings": {"size": "5", "orderBy": "4", "order": "desc"}},
            {"id": "3", "type": "date_histogram", "field": "timestamp", "settings": {"interval": "auto"}},
        ],
    }
    terms = search(query, "", 0, 1, 5000)["aggs"]["2"]
    assert terms["terms"]["order"] == {"4": "desc"}
    assert terms["aggs"]["4"] == {"max": {"field": "duration_ms"}}
    assert terms["aggs"]["3"]["date_histogram"]["fixed_interval"] == "5000ms"


@pytest.mark.parametrize(
    ("leaf", "count"),
    [({"doc_count": 0}, 0), ({"doc_count": 2, "4": {"value": None}}, 0), ({"doc_count": 2, "4": {"value": 7}}, 1)],
)
def test_only_filled_buckets_count(leaf: dict[str, object], count: int) -> None:
    """An empty bucket, or one whose field no document has, is no data."""
    query = {"metrics": [{"id": "4", "type": "max", "field": "duration_ms"}]}
    answer = {"_shards": {"failed": 0}, "aggregations": {"2": {"buckets": [leaf]}}}
    assert found(query, answer) == count


def test_a_failed_search_is_not_taken_for_an_empty_one() -> None:
    """The server's own words are in the error."""
    with pytest.raises(AssertionError, match="no such index"):
        found({"metrics": [LINES]}, {"error": "no such index"})
