"""The bench works: everybody is measured or named, and nobody is quick because work was left out. No figure is asserted."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.formatter import measure as formatter
from bench.report.page import write_page
from bench.request_path import measure as request_path
from bench.request_path.variants import VARIANTS, Variant
from bench.results import save
from bench.scale import writers
from bench.shipping import measure as shipping
from tests.support.stack import RunningStack

pytestmark = pytest.mark.req("PRF-03", "PRF-08", "PRF-11", "PRF-12")

SAY = Console(file=io.StringIO())


def test_every_request_leaves_the_records_that_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours writes its terminal record, and three more for a feed; an application that does not start is named with the reason."""
    broken = Variant("broken", "one that does not start", "no_such_application")
    monkeypatch.setattr(request_path, "VARIANTS", (*VARIANTS, broken))
    found = request_path.measure(["kit", "broken"], rounds=2, requests=80, seed=1, say=SAY)
    assert found["summary"].keys() == {"bare", "kit"}
    assert "no_such_application" in found["missing"]["broken"]
    for variant in VARIANTS[:3]:
        if variant.name in found["summary"]:
            for endpoint, expected in (("ping", variant.ping_records), ("feed", variant.feed_records)):
                records = found["summary"][variant.name][endpoint]["records_a_request"]
                assert expected <= records < expected + 0.1, "a few more may be a slow machine's warnings, one less is work left out"
    assert len(found["runs"]) == 2 * 2 * 2


def test_every_call_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our three fronts and the floor are measured; a logger that is not installed is named with the reason."""
    monkeypatch.setitem(formatter.MODULES, "no_such_logger", ("absent",))
    monkeypatch.setitem(formatter.TITLES, "absent", "one that is not there")
    names = ["kit", "kit_stdlib", "kit_structlog", "floor", "absent"]
    found = formatter.measure(names, rounds=1, calls=200, seed=1, say=SAY)
    assert found["summary"].keys() == {"kit", "kit_stdlib", "kit_structlog", "floor"}
    assert "no_such_logger" in found["missing"]["absent"]
    assert all(of["bytes_a_line"] > 200 for of in found["summary"].values())


def test_lines_of_several_writers_are_all_there() -> None:
    """One, two and four writers; a missing line would end it."""
    assert [row["writers"] for row in writers.measure(200, 1, SAY)] == [1, 2, 4]


def test_every_shipper_brings_every_line_once(stack: RunningStack, tmp_path: Path) -> None:
    """Ours, the ceiling and the helpers each bring all lines; the page can be made from what was kept."""
    stack.need("elasticsearch")
    names = ["kit", "ceiling", "streaming_bulk", "parallel_bulk"]
    found = shipping.measure(names, rounds=1, lines=3000, seed=1, say=SAY, stack=stack.declared)
    assert {row["shipper"]: row["arrived"] for row in found["runs"]} == dict.fromkeys(names, 3000)
    assert found["missing"].keys() == {"filebeat"}
    save("shipping", found, tmp_path)
    write_page(tmp_path / "RESULTS.md", tmp_path)
    assert "| **Nöbet shipper**, complete |" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
