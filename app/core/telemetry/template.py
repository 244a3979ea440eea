"""The Elasticsearch index templates, made from the declared fields."""

from typing import Any, Final

from app.core.telemetry.fields import ALIASES, FIELDS, FieldType
from app.core.telemetry.tracked import event_mappings

LONGEST_KEYWORD: Final = 8191
"""Characters; Lucene refuses terms over 32,766 bytes, and a UTF-8 character has up to four."""

_MAPPINGS: Final[dict[FieldType, dict[str, Any]]] = {
    "date": {"type": "date_nanos", "format": "strict_date_optional_time_nanos"},
    "keyword": {"type": "keyword", "ignore_above": LONGEST_KEYWORD},
    "level": {"type": "keyword", "normalizer": "lower"},
    "text": {"type": "text"},
    "long": {"type": "long"},
    "float": {"type": "double"},
    "boolean": {"type": "boolean"},
    "flattened": {"type": "flattened", "ignore_above": LONGEST_KEYWORD},
}
"""`level` carries a lower-casing normalizer, so that level:ERROR and level:error find the same."""


def log_mappings() -> dict[str, Any]:
    """Field mappings of a log index. Unknown fields are kept in the document and not indexed."""
    properties: dict[str, Any] = {name: dict(_MAPPINGS[field.type]) for name, field in FIELDS.items()}
    properties |= {alias: {"type": "alias", "path": target} for alias, target in ALIASES.items()}
    return {"dynamic": False, "properties": properties}


def index_settings(shards: int, replicas: int) -> dict[str, Any]:
    """Settings of a new index; `lower` is the normalizer that levels use."""
    return {
        "number_of_shards": shards,
        "number_of_replicas": replicas,
        "refresh_interval": "1s",
        "analysis": {"normalizer": {"lower": {"type": "custom", "filter": ["lowercase"]}}},
    }


def index_template(prefix: str, shards: int = 1, replicas: int = 0) -> dict[str, Any]:
    """Body of the composable index template for the daily log indices `<prefix>-YYYY.MM.DD`."""
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {"settings": index_settings(shards, replicas), "mappings": log_mappings()},
        "_meta": {"description": "Nöbet log records; generated from the telemetry contract"},
    }


def events_template(prefix: str, shards: int = 1, replicas: int = 0) -> dict[str, Any]:
    """Body of the template for the daily indices of tracked events, `<prefix>-YYYY.MM.DD`."""
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {"settings": index_settings(shards, replicas), "mappings": event_mappings(_MAPPINGS["keyword"], _MAPPINGS["date"])},
        "_meta": {"description": "Nöbet tracked events; generated from the telemetry contract"},
    }


def dead_prefix(log_prefix: str) -> str:
    """Prefix of the dead-letter indices that belong to a log prefix: `logs-nobet` has `dead-nobet`."""
    return f"dead-{log_prefix.removeprefix('logs-')}"


def dead_letter_template(prefix: str, shards: int = 1, replicas: int = 0) -> dict[str, Any]:
    """Body of the template for dead letters: why a record was refused, its raw line, and the ids by which its story finds it."""
    properties: dict[str, Any] = {
        "timestamp": _MAPPINGS["date"],
        "dead_at": _MAPPINGS["date"],
        "reason": _MAPPINGS["keyword"],
        "status": {"type": "long"},
        "error_type": _MAPPINGS["keyword"],
        "error_message": {"type": "text"},
        "target_index": _MAPPINGS["keyword"],
        "document_id": _MAPPINGS["keyword"],
        "segment": _MAPPINGS["keyword"],
        "service_name": _MAPPINGS["keyword"],
        "request_id": _MAPPINGS["keyword"],
        "client_request_id": _MAPPINGS["keyword"],
        "trace_id": _MAPPINGS["keyword"],
        "call_sid": _MAPPINGS["keyword"],
        "raw": {"type": "text", "index": False},
        "@timestamp": {"type": "alias", "path": "timestamp"},
    }
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {"settings": index_settings(shards, replicas), "mappings": {"dynamic": False, "properties": properties}},
        "_meta": {"description": "Nöbet dead letters; generated from the telemetry contract"},
    }
