"""One declaration for every name, and everything that is made from it is up to date."""

import re
from pathlib import Path

import pytest

from app.core import metrics
from app.core.config import Settings
from app.core.ports import PORTS
from app.core.telemetry import EVENTS, FIELDS, METRICS, document
from app.core.telemetry.labels import LABELS
from app.core.telemetry.template import index_template

APP = Path(__file__).resolve().parents[3] / "app"
SOURCES = {path: path.read_text(encoding="utf-8") for path in APP.rglob("*.py") if "telemetry" not in path.parts}


@pytest.mark.req("CFG-01", "LOG-27")
def test_generated_files_are_up_to_date() -> None:
    """`.env.example`, the reference page and the index templates equal what the declarations give."""
    stale = [str(path) for path, text in document.files().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make generate`"


@pytest.mark.req("CFG-01", "CFG-02")
def test_the_example_names_every_setting_once() -> None:
    """Each variable that the settings class reads stands in .env.example, with a description, and nothing else does."""
    text = (APP.parent / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE)
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


def test_every_setting_is_used() -> None:
    """A setting that nothing reads promises an effect that isn't there."""
    code = "\n".join(text for path, text in SOURCES.items() if path.name != "settings_sections.py")
    configuration = "\n".join(path.read_text(encoding="utf-8") for path in APP.parent.glob("*.yml"))
    unused = [name for name in Settings.model_fields if not re.search(rf"\b{name}\b", code) and name.upper() not in code + configuration]
    assert unused == []


def test_every_event_in_the_code_is_declared_and_every_declared_one_is_used() -> None:
    """The `event` of our own records is a name of the contract; a declared event that nobody writes is a lie."""
    code = "\n".join(SOURCES.values())
    written = set(re.findall(r"""event=["']([a-z_.]+)["']""", code))
    assert written - set(EVENTS) == set()
    shipper = "\n".join(text for path, text in SOURCES.items() if "shipper" in path.parts)
    written_by_shipper = {name for name in EVENTS if name.startswith("shipper.") and f'"{name.partition(".")[2]}"' in shipper}
    assert {name for name in EVENTS if f'"{name}"' not in code} - written_by_shipper == set()


def test_every_metric_in_the_code_is_declared_and_every_declared_one_is_used() -> None:
    """The objects are made from the contract; a declared metric that nobody sets is a lie."""
    code = "\n".join(SOURCES.values())
    used = set(re.findall(r"""(?:counter|gauge|histogram)\(\s*["']([a-z_]+)["']""", code))
    assert used - set(METRICS) == set()
    assert {name for name in METRICS if f'"{name}"' not in code} == set()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_well_formed(name: str) -> None:
    """Prometheus' conventions: counters end in _total, seconds and bytes say so, histograms have rising edges."""
    metric = METRICS[name]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert metric.meaning.endswith(".")
    assert (metric.type == "counter") == name.endswith("_total")
    assert (metric.type == "histogram") == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert all(len(values) == len(metric.labels) for values in metric.born)


UNITS = {"seconds": "seconds", "bytes": "bytes", "ms": "milliseconds", "percent": "percent", "ratio": "ratio"}
"""Words in names and the units that they promise."""


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_in_a_unit_says_so_in_its_name(name: str) -> None:
    """Nobody has to guess whether a number is seconds or milliseconds: name and declared unit agree."""
    assert {UNITS[word] for word in name.split("_") if word in UNITS} == ({METRICS[name].unit} - {""})


def test_every_label_is_declared_and_every_declared_one_is_used() -> None:
    """A label has one meaning wherever it stands, and the list does not gather dust."""
    assert {label for metric in METRICS.values() for label in metric.labels} == set(LABELS)
    assert all(meaning.endswith(".") for meaning in LABELS.values())


def test_an_undeclared_metric_can_not_be_made() -> None:
    """Neither an unknown name nor a name of another type."""
    with pytest.raises(KeyError):
        metrics.counter("invented_total")
    with pytest.raises(KeyError):
        metrics.gauge("http_requests_total")


@pytest.mark.req("SHP-06", "COR-18")
def test_the_template_maps_every_field_and_nothing_dynamically() -> None:
    """Ids are exact-match fields, and no document can add to the mapping."""
    mappings = index_template("logs-x")["template"]["mappings"]
    assert mappings["dynamic"] is False
    assert set(FIELDS) <= set(mappings["properties"])
    assert mappings["properties"]["request_id"]["type"] == "keyword"
    assert mappings["properties"]["extra"]["type"] == "flattened"


def test_ports_are_distinct() -> None:
    """No two listeners want the same port."""
    assert len(set(PORTS.values())) == len(PORTS)
