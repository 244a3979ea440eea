"""The committed dashboards as a list of questions to the data sources."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.processes import CHECKOUT

DASHBOARDS: Final = CHECKOUT / "grafana" / "dashboards"
DECLARED_EMPTY: Final = CHECKOUT / "grafana" / "empty_when_healthy.yml"

WITHOUT_QUESTION: Final = {"row", "text", "dashlist", "news"}
"""Types of panels that read from no data source."""

EXPRESSION: Final = "__expr__"
"""Uid of Grafana's own calculations on the answers to other queries; they have data when those have."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one panel."""

    board: str
    """File name of the dashboard, without its ending."""
    panel: dict[str, Any]
    target: dict[str, Any]

    @property
    def name(self) -> str:
        """Panel and letter, as a person finds it."""
        return f"{self.panel['title']}/{self.target.get('refId', 'A')}"

    @property
    def source(self) -> dict[str, str]:
        """Type and uid of the data source: the query's own, else the panel's."""
        found: dict[str, str] = self.target.get("datasource") or self.panel["datasource"]
        return found


@cache
def board(name: str) -> dict[str, Any]:
    """A dashboard's JSON."""
    document: dict[str, Any] = json.loads((DASHBOARDS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def names() -> list[str]:
    """All dashboards."""
    return sorted(path.stem for path in DASHBOARDS.glob("*.json"))


def panels(name: str) -> list[dict[str, Any]]:
    """The panels that show something, those in folded rows too."""
    found: list[dict[str, Any]] = []
    for panel in board(name)["panels"]:
        found += [panel, *(panel.get("panels") or [])]
    return [panel for panel in found if panel["type"] not in WITHOUT_QUESTION]


def queries(name: str) -> list[Query]:
    """Every query of a dashboard."""
    asked = [Query(name, panel, target) for panel in panels(name) for target in panel.get("targets") or []]
    return [query for query in asked if query.source.get("uid") != EXPRESSION]


def annotations(name: str) -> list[Query]:
    """What a dashboard asks in order to mark moments; Grafana's own alerts and notes are no query."""
    listed = [note for note in board(name)["annotations"]["list"] if note["datasource"].get("type") not in {"grafana", "datasource"}]
    return [Query(name, {"title": note["name"], "datasource": note["datasource"]}, note.get("target") or note) for note in listed]


def declared_empty(path: Path = DECLARED_EMPTY) -> dict[str, dict[str, str]]:
    """Dashboard → panel, or panel/letter of the query → why it may be empty while all is well."""
    declared: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return declared


def may_be_empty(query: Query) -> bool:
    """Whether the query is declared empty when healthy, alone or with its whole panel."""
    declared = declared_empty().get(query.board, {})
    return query.panel["title"] in declared or query.name in declared
