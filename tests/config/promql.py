"""Finds metric names and label matchers in PromQL, as far as our own expressions go."""

import re
from typing import Final

_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"')
_DURATION: Final = re.compile(r"\[[^\]]*\]|\b\d+(?:ms|[smhdwy])\b")
_LABEL_LIST: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_SELECTOR: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*\{([^}]*)\}")
_WORD: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b")
_CALL: Final = re.compile(r"\b[a-zA-Z_]+\s*(?=\()")
_KEYWORDS: Final = {"and", "or", "unless", "bool", "offset", "by", "on", "inf", "nan"}


def metric_names(expr: str) -> set[str]:
    """The names of the metrics that an expression reads."""
    bare = _DURATION.sub(" ", re.sub(r"\{[^}]*\}", " ", _STRING.sub("", expr)))
    bare = _CALL.sub(" ", _LABEL_LIST.sub(" ", bare))
    return {word for word in _WORD.findall(bare) if word not in _KEYWORDS and not re.fullmatch(r"e\d*", word)}


def matched_labels(expr: str) -> list[tuple[str, set[str]]]:
    """(metric, labels that its selector names) for each selector of an expression."""
    plain = _STRING.sub('""', expr)
    return [(name, set(re.findall(r"([a-zA-Z_]+)\s*[=!]", inside))) for name, inside in _SELECTOR.findall(plain) if name]
