"""What the variables of a dashboard stand for when somebody has just opened it."""

import json
import re
from typing import Any, Final

from tests.support.grafana.boards import board
from tests.support.grafana.sources import Sources, Window
from tests.support.grafana.variables import Value, fill

_LABEL_VALUES: Final = re.compile(r"label_values\((?:(.*),)?\s*(\w+)\)", re.DOTALL)


def choices(sources: Sources, name: str, window: Window, typed: dict[str, str]) -> dict[str, Value]:
    """The value of each variable, later ones by the values of earlier ones. `typed` is what a person writes into empty text boxes.

    AssertionError for a variable that has nothing to choose from.
    """
    values: dict[str, Value] = {}
    for variable in board(name)["templating"]["list"]:
        values[variable["name"]] = _value(sources, variable, values, window, typed)
    return values


def _value(sources: Sources, variable: dict[str, Any], values: dict[str, Value], window: Window, typed: dict[str, str]) -> Value:
    kind, name = variable["type"], variable["name"]
    if kind == "datasource":
        return Value((str(variable["query"]),))
    if kind == "textbox":
        text = str((variable.get("current") or {}).get("value") or variable.get("query") or "")
        return Value((text or typed.get(name, ""),))
    if kind == "constant":
        return Value((str(variable["query"]),))
    if kind == "interval":
        options = str(variable["query"]).split(",")
    elif kind == "custom":
        options = [part.rpartition(" : ")[2].strip() for part in str(variable["query"]).split(",")]
    elif kind == "query":
        options = _offered(sources, variable, values, window)
        assert options, f"${name} offers nothing to choose"
    else:
        raise ValueError(f"variables of type {kind} are unknown to this test")
    return _chosen(variable, options)


def _chosen(variable: dict[str, Any], options: list[str]) -> Value:
    """The dashboard's own choice where it is still offered, all where it says so, else the first."""
    several = bool(variable.get("multi") or variable.get("includeAll"))
    current = (variable.get("current") or {}).get("value")
    wanted = current if isinstance(current, list) else [current]
    if "$__all" in wanted:
        if variable.get("allValue"):
            return Value((variable["allValue"],), verbatim=True)
        return Value(tuple(options), several)
    kept = tuple(one for one in wanted if one in options)
    return Value(kept or tuple(options[:1]), several)


def _offered(sources: Sources, variable: dict[str, Any], values: dict[str, Value], window: Window) -> list[str]:
    query, source = variable["query"], variable["datasource"]
    text = query if isinstance(query, str) else query["query"]
    if source["type"] == "elasticsearch":
        wanted = json.loads(text)
        assert wanted["find"] == "terms", wanted
        return sources.terms(source["uid"], wanted["field"], fill(wanted.get("query") or "", values, "lucene"))
    match = _LABEL_VALUES.fullmatch(text.strip())
    assert match, f"{text!r} is no label_values()"
    found = sources.label_values(match[2], fill(match[1] or "", values, "prometheus").strip(), window)
    keep = variable.get("regex")
    return [value for value in found if re.search(keep.strip("/"), value)] if keep else found
