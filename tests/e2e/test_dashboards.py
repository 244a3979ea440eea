"""No panel is ever empty: every query of every committed dashboard against the live servers, by the calls that Grafana makes."""

import pytest

from tests.support.evidence_live import Evidence
from tests.support.grafana import boards
from tests.support.lively import REFUSED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

PANELS = [(name, panel["title"]) for name in boards.names() for panel in boards.panels(name) if panel.get("targets")]


@pytest.mark.req("DSH-15")
@pytest.mark.parametrize(("board", "panel"), PANELS, ids=[f"{board}-{panel}" for board, panel in PANELS])
def test_a_panel_shows_data(live: Evidence, board: str, panel: str) -> None:
    """With the demo's traffic on, each of its queries has data, unless it is declared empty when healthy."""
    for query in boards.queries(board):
        if query.panel["title"] == panel:
            said = live.missing["panel", board, query.name]
            assert not said or (boards.may_be_empty(query) and REFUSED not in said), f"{query.name}: {said}"


@pytest.mark.req("DSH-15")
@pytest.mark.parametrize("board", boards.names())
def test_annotations_of_a_dashboard_can_be_asked(live: Evidence, board: str) -> None:
    """Alerts and deployments are marked where there are any; the servers understand the question."""
    said = {key: text for key, text in live.missing.items() if key[:2] == ("annotation", board)}
    assert said
    assert not [text for text in said.values() if REFUSED in text]


def test_what_may_be_empty_exists() -> None:
    """Nothing stays declared when its panel is gone, and each has a reason."""
    for board, declared in boards.declared_empty().items():
        known = {name for query in boards.queries(board) for name in (query.name, query.panel["title"])}
        assert set(declared) <= known
        assert all(len(reason.split()) > 3 for reason in declared.values())
