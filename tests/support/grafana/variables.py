"""Fills variables into queries as Grafana does, for PromQL and for Lucene."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Style = Literal["prometheus", "lucene", "raw"]

_NAMED: Final = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]")
_REGEX_SIGNS: Final = re.compile(r"[$^*{}\[\]'+?.()|]")
_LUCENE_SIGNS: Final = re.compile(r'([!*+\-=<>\s&|()\[\]{}^~?:\\/"])')


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable stands for. `several` when more than one value can be chosen, or all."""

    chosen: tuple[str, ...]
    several: bool = False
    verbatim: bool = False
    """A dashboard's own text for "all", which Grafana puts in as it is."""


def fill(text: str, values: Mapping[str, Value], style: Style) -> str:
    """The text with every variable filled in. KeyError for one that the dashboard does not have; `${1}` is label_replace()'s."""

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[4]
        if name.isdigit():
            return match[0]
        return _form(values[name], match[3] or match[5] or style)

    return _NAMED.sub(replace, text)


def _form(value: Value, form: str) -> str:
    chosen = value.chosen
    if value.verbatim:
        return chosen[0]
    if form == "prometheus":
        if not value.several:
            return ",".join(chosen).replace("\\", "\\\\").replace('"', '\\"')
        escaped = [_prometheus_regex(one) for one in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    if form == "lucene":
        if not value.several:
            return _lucene(",".join(chosen))
        quoted = [json.dumps(one, ensure_ascii=False) for one in chosen]
        return f"({' OR '.join(quoted)})" if chosen else "__empty__"
    if form == "regex":
        escaped = [re.escape(one) for one in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    if form == "pipe":
        return "|".join(chosen)
    if form in {"raw", "csv", "text"}:
        return ",".join(chosen)
    raise ValueError(f"${{…:{form}}} is a form that this test does not know")


def _prometheus_regex(text: str) -> str:
    """Escaped for a regular expression, and that once more for the string around it."""
    return _REGEX_SIGNS.sub(r"\\\\\g<0>", text.replace("\\", "\\\\\\\\"))


def _lucene(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return _LUCENE_SIGNS.sub(r"\\\1", text)
    return text
