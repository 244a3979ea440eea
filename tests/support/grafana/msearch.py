"""Makes the Elasticsearch searches of dashboard queries, and counts what came back."""

from collections.abc import Iterator
from typing import Any, Final

PLAIN: Final = {"avg", "sum", "min", "max", "cardinality", "extended_stats", "value_count"}
DOCUMENTS: Final = {"logs", "raw_data", "raw_document"}


def search(query: dict[str, Any], lucene: str, start_ms: int, end_ms: int, interval_ms: int) -> dict[str, Any]:
    """The body of the search that a query makes. `lucene` is its text with variables filled in."""
    field = query.get("timeField") or "timestamp"
    within = {"range": {field: {"gte": start_ms, "lte": end_ms, "format": "epoch_millis"}}}
    wanted = [{"query_string": {"analyze_wildcard": True, "query": lucene}}] if lucene.strip() else []
    body: dict[str, Any] = {"query": {"bool": {"filter": [within, *wanted]}}}
    first = query["metrics"][0]
    if first["type"] in DOCUMENTS:
        size = int((first.get("settings") or {}).get("limit") or (first.get("settings") or {}).get("size") or 500)
        return {**body, "size": size, "sort": [{field: {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}]}
    return {**body, "size": 0, "aggs": _buckets(query, query.get("bucketAggs") or [], start_ms, end_ms, interval_ms)}


def found(query: dict[str, Any], answer: dict[str, Any]) -> int:
    """How many documents or filled values came back. Raises AssertionError with the reason when the search failed."""
    assert "error" not in answer, answer["error"]
    assert not answer["_shards"].get("failed"), answer["_shards"]
    if query["metrics"][0]["type"] in DOCUMENTS:
        return len(answer["hits"]["hits"])
    wanted = [str(metric["id"]) for metric in query["metrics"] if metric["type"] != "count"]
    # Without any index, such as before the first dead letter, Elasticsearch leaves "aggregations" out.
    return sum(1 for bucket in _leaves(answer.get("aggregations", {})) if _is_filled(bucket, wanted))


def _is_filled(bucket: dict[str, Any], metrics: list[str]) -> bool:
    if not bucket["doc_count"]:
        return False
    values = [bucket[name] for name in metrics if name in bucket]
    return not values or any(value.get("value") is not None or value.get("values") or value.get("top") for value in values)


def _buckets(query: dict[str, Any], left: list[dict[str, Any]], start_ms: int, end_ms: int, interval_ms: int) -> dict[str, Any]:
    if not left:
        return {str(metric["id"]): _metric(metric) for metric in query["metrics"] if metric["type"] != "count" and not metric.get("hide")}
    bucket, rest = left[0], left[1:]
    settings = bucket.get("settings") or {}
    inner = _buckets(query, rest, start_ms, end_ms, interval_ms)
    least = int(settings.get("min_doc_count") or 0)
    kind = bucket["type"]
    if kind == "date_histogram":
        every = settings.get("interval") or "auto"
        about = {
            "field": bucket["field"],
            "fixed_interval": f"{interval_ms}ms" if every in {"auto", "$__interval"} else every,
            "min_doc_count": least,
            "extended_bounds": {"min": start_ms, "max": end_ms},
            "format": "epoch_millis",
        }
    elif kind == "terms":
        about = {"field": bucket["field"], "size": int(settings.get("size") or 500), "min_doc_count": max(1, least)}
        order = settings.get("orderBy") or "_term"
        about["order"] = {"_key" if order == "_term" else order: settings.get("order") or "desc"}
        if order not in {"_term", "_key", "_count"}:
            inner |= {str(metric["id"]): _metric(metric) for metric in query["metrics"] if str(metric["id"]) == order.partition(".")[0]}
        if settings.get("missing"):
            about["missing"] = settings["missing"]
    elif kind == "filters":
        about = {
            "filters": {
                one.get("label") or one["query"]: {"query_string": {"query": one["query"] or "*", "analyze_wildcard": True}}
                for one in settings["filters"]
            }
        }
    elif kind == "histogram":
        about = {"field": bucket["field"], "interval": float(settings.get("interval") or 1000), "min_doc_count": least}
    else:
        raise ValueError(f"bucket aggregation {kind} is one that this test does not know")
    return {str(bucket["id"]): {kind: about, **({"aggs": inner} if inner else {})}}


def _metric(metric: dict[str, Any]) -> dict[str, Any]:
    kind, settings = metric["type"], metric.get("settings") or {}
    if kind in PLAIN:
        return {kind: {"field": metric["field"], **({"missing": settings["missing"]} if settings.get("missing") else {})}}
    if kind == "percentiles":
        return {kind: {"field": metric["field"], "percents": [float(percent) for percent in settings["percents"]]}}
    if kind == "top_metrics":
        sort = [{settings["orderBy"]: settings.get("order") or "desc"}]
        return {kind: {"metrics": [{"field": name} for name in settings["metrics"]], "size": 1, "sort": sort}}
    raise ValueError(f"metric aggregation {kind} is one that this test does not know")


def _leaves(aggregations: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The innermost buckets."""
    nested = [value for value in aggregations.values() if isinstance(value, dict) and "buckets" in value]
    if not nested and "doc_count" in aggregations:
        yield aggregations
    for value in nested:
        buckets = value["buckets"]
        for bucket in buckets.values() if isinstance(buckets, dict) else buckets:
            yield from _leaves(bucket)
