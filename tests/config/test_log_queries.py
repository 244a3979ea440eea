"""Dashboards ask Elasticsearch only for fields that its documents have, and links lead to dashboards that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from app.core.telemetry.template import dead_letter_template, events_template, index_template
from grafana.generator.elastic import FIRST_SEEN, LAST_SEEN, SOMEBODY
from tests.config.files import DASHBOARDS, load
from tests.support.processes import CHECKOUT

BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")}
FIELDS = {
    source: set(template["template"]["mappings"]["properties"])
    for source, template in {
        "elasticsearch-logs": index_template("logs"),
        "elasticsearch-events": events_template("events"),
        "elasticsearch-dead": dead_letter_template("dead"),
    }.items()
}
CALCULATED = {"Count", FIRST_SEEN, LAST_SEEN, SOMEBODY}


def searches() -> Iterator[tuple[str, str, str]]:
    """(dashboard, data source, Lucene) of every panel and variable, and of every link to Explore."""
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "elasticsearch":
                    yield name, target["datasource"]["uid"], target["query"]
        for note in board["annotations"]["list"]:
            if note["datasource"]["type"] == "elasticsearch":
                assert {note["timeField"], note["textField"], note["tagsField"]} <= FIELDS[note["datasource"]["uid"]]
                yield name, note["datasource"]["uid"], note["query"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query" and variable["datasource"]["type"] == "elasticsearch":
                yield name, variable["datasource"]["uid"], json.loads(variable["query"])["query"]
        for link in re.findall(r"/explore\?[^\"\\]+", json.dumps(board)):
            pane = json.loads(unquote(link.partition("panes=")[2]))["a"]
            if pane["datasource"] in FIELDS:
                yield name, pane["datasource"], pane["queries"][0]["query"]


def named_in(lucene: str) -> set[str]:
    """The fields that a search names, outside quotes and variables."""
    plain = re.sub(r'"[^"]*"', "", re.sub(r"\$\{[^}]*\}", "", lucene))
    return set(re.findall(r"([a-z_]+):", plain))


def aggregated(target: dict[str, Any]) -> set[str]:
    """The fields that a query groups by or calculates with."""
    parts = [*target.get("metrics", []), *target.get("bucketAggs", [])]
    return {part["field"] for part in parts if "field" in part}


def columns(panel: dict[str, Any]) -> set[str]:
    """The fields that a table shows."""
    kept = [step["options"]["include"]["names"] for step in panel.get("transformations", []) if step["id"] == "filterFieldsByName"]
    return {name for names in kept for name in names} - CALCULATED


@pytest.mark.req("LOG-22", "DSH-04", "DSH-11")
def test_searches_name_only_fields_that_documents_have() -> None:
    """A search for a field that nobody writes would always be empty."""
    asked = list(searches())
    assert {source for _, source, _ in asked} == set(FIELDS)
    for name, source, lucene in asked:
        assert named_in(lucene) <= FIELDS[source], (name, lucene)


def test_groups_and_columns_are_fields_that_documents_have() -> None:
    """The same for what is grouped, calculated and shown, and for the values that a variable offers."""
    seen = 0
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "elasticsearch":
                    known = FIELDS[target["datasource"]["uid"]]
                    assert aggregated(target) | columns(panel) | {target["timeField"]} <= known, (name, panel["title"])
                    seen += 1
        for variable in board["templating"]["list"]:
            if variable["type"] == "query" and variable["datasource"]["type"] == "elasticsearch":
                assert json.loads(variable["query"])["field"] in FIELDS[variable["datasource"]["uid"]], (name, variable["name"])
    assert seen > 20


def test_what_a_person_types_is_searched_for_as_typed() -> None:
    """Grafana escapes variables in Lucene, so that `abc*` would find nothing; text boxes are put in as they are."""
    for name, board in BOARDS.items():
        typed = [variable["name"] for variable in board["templating"]["list"] if variable["type"] == "textbox"]
        for used in (lucene for where, _, lucene in searches() if where == name):
            for variable in typed:
                assert not re.search(rf"\$\{{?{variable}(?!\w|:raw)", used), (name, used)


def test_links_between_dashboards_lead_somewhere() -> None:
    """Each names a dashboard that exists, and variables that it has."""
    boards = {board["uid"]: {variable["name"] for variable in board["templating"]["list"]} for board in BOARDS.values()}
    found = {(name, link) for name, board in BOARDS.items() for link in re.findall(r'"(/d/[^"]+)"', json.dumps(board))}
    records = load(CHECKOUT / "grafana" / "provisioning" / "datasources" / "nobet.yml")["datasources"]
    of_records = {("log records", link["url"]) for source in records for link in source["jsonData"].get("dataLinks", [])}
    assert ("log records", "/d/nobet-request-story?from=now-24h&to=now&var-id=$${__value.raw}") in of_records
    found |= {(where, link) for where, link in of_records if link.startswith("/d/")}
    for name, link in found:
        uid = re.split(r"[/?]", link)[2]
        assert uid in boards, (name, link)
        wanted = set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", link))
        assert {first or second for first, second in wanted} <= boards[uid], (name, link)


def test_the_check_sees_the_fields_of_a_search() -> None:
    """The reader of searches is not fooled by quotes and variables."""
    assert named_in('level:x AND (user:"a:b" OR ${id:raw}) AND NOT trace_id:*') == {"level", "user", "trace_id"}
