"""One schema, whatever the style; always one valid line, never an exception."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import context
from app.core.logger import get_logger, mask_sensitive_data
from app.core.records import build, encode
from app.core.telemetry import FIELDS
from tests.support.asgi import sample
from tests.support.records import logging_to, spooled

Records = Callable[[], list[dict[str, Any]]]

FIXED = ("timestamp", "level", "log_level", "service_name", "logger", "message")


@pytest.mark.req("LOG-01", "LOG-02", "LOG-03", "LOG-05", "LOG-27", "LOG-28")
def test_a_record_has_the_fixed_fields_first_and_a_parsable_time(records: Records) -> None:
    """Every record begins with the same keys, and its time is now, in UTC, with microseconds."""
    get_logger("some.module").info("Hello")
    (record,) = records()
    assert list(record)[:5] == ["timestamp", "level", "log_level", "service_name", "logger"]
    assert set(FIXED) <= set(record)
    assert record["logger"] == "some.module"
    written = datetime.fromisoformat(record["timestamp"])
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60
    assert len(record["timestamp"]) == len("2026-11-22T02:15:04.123456Z")


@pytest.mark.req("LOG-04", "TST-02")
def test_the_threshold_is_a_setting(tmp_path: Path) -> None:
    """With LOG_LEVEL=WARNING, three of the five levels are written."""
    with logging_to(tmp_path, log_level="WARNING"):
        log = get_logger("x")
        for name in ("debug", "info", "warning", "error", "critical"):
            getattr(log, name)("m")
    assert [record["level"] for record in spooled(tmp_path)] == ["WARNING", "ERROR", "CRITICAL"]


@pytest.mark.req("LOG-19")
@pytest.mark.parametrize(("environment", "levels"), [("development", ["DEBUG", "INFO"]), ("staging", ["INFO"])])
def test_detail_depends_on_the_environment(tmp_path: Path, environment: str, levels: list[str]) -> None:
    """Development logs DEBUG; elsewhere it begins at INFO."""
    with logging_to(tmp_path, log_level="", environment=environment, metrics_token="a-long-random-token-1234"):
        get_logger("x").debug("m")
        get_logger("x").info("m")
    assert [record["level"] for record in spooled(tmp_path)] == levels


@pytest.mark.req("LOG-06", "LOG-08", "LOG-09", "LOG-21")
def test_every_style_gives_the_same_record(records: Records) -> None:
    """Our logger with fields, with extra, the standard library and structlog differ in nothing but the time."""
    fields: dict[str, Any] = {"post_id": "p1", "user_id": "7", "title_length": 12}
    get_logger("x").info("post.created", **fields)
    get_logger("x").info("post.created", extra=fields)
    logging.getLogger("x").info("post.created", extra=fields)
    structlog.get_logger("x").info("post.created", **fields)
    found = [{key: value for key, value in record.items() if key != "timestamp"} for record in records()]
    assert len(found) == 4
    assert all(record == found[0] for record in found)
    assert found[0]["event"] == "post.created"
    assert found[0]["extra"] == {"title_length": 12}


@pytest.mark.req("LOG-06")
def test_declared_extras_stand_at_top_level(records: Records) -> None:
    """The keys of the source document's example become top-level fields."""
    get_logger("x").info("call", extra={"request_id": "r1", "method": "GET", "path": "/api/chat"})
    assert {key: records()[0][key] for key in ("request_id", "method", "path")} == {
        "request_id": "r1",
        "method": "GET",
        "path": "/api/chat",
    }


@pytest.mark.req("LOG-07", "PRV-05")
def test_an_error_has_class_message_and_place_and_its_stack_in_a_debug_record(records: Records) -> None:
    """By default the error record has no stack; a DEBUG record beside it has, under the same id."""
    context.bind(request_id="r1")
    try:
        raise ValueError("wrong")
    except ValueError:
        get_logger("x").error("It failed", exc_info=True)
    error, stack = records()
    assert (error["error_type"], error["error_message"]) == ("ValueError", "wrong")
    assert "test_logger.py" in error["error_location"]
    assert "traceback" not in error
    assert stack["event"] == "error.traceback"
    assert stack["level"] == "DEBUG"
    assert stack["request_id"] == "r1"
    assert "ValueError: wrong" in stack["traceback"]


@pytest.mark.req("PRV-05")
def test_a_stack_shows_no_local_values(tmp_path: Path) -> None:
    """With LOG_TRACEBACKS=always the stack is in the error record, masked, without the values of variables."""

    def leaky() -> None:
        local = "value-of-a-local"
        raise RuntimeError("password=hunter2hunter2" + local[:0])

    with logging_to(tmp_path, log_tracebacks="always"):
        try:
            leaky()
        except RuntimeError as error:
            get_logger("x").error("m", exc_info=error)
    text = json.dumps(spooled(tmp_path))
    assert "RuntimeError" in spooled(tmp_path)[0]["traceback"]
    assert "hunter2hunter2" not in spooled(tmp_path)[0]["error_message"]
    assert "value-of-a-local" not in text


@pytest.mark.req("LOG-12")
def test_the_backend_logger_starts_at_info(records: Records) -> None:
    """A logger named backend exists and has level INFO."""
    assert records() == []
    assert logging.getLogger("backend").level == logging.INFO


@pytest.mark.req("LOG-14", "PRV-03")
def test_uvicorns_access_line_has_the_id_and_no_address(records: Records) -> None:
    """The access record carries the request's id, and neither the client's address nor the query string."""
    context.bind(request_id="abc123")
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "203.0.113.9:1234", "GET", "/feed?token=s3cr3t", "1.1", 200)
    (record,) = records()
    assert (record["request_id"], record["path"], record["status_code"]) == ("abc123", "/feed", 200)
    assert "203.0.113" not in json.dumps(record)
    assert "s3cr3t" not in json.dumps(record)


@pytest.mark.req("LOG-20", "LOG-21")
def test_a_message_that_is_json_becomes_fields(records: Records) -> None:
    """A JSON text as message is merged into the record instead of being encoded twice."""
    get_logger("x").info('{"event": "user_login", "user_id": "5", "message": "Signed in"}')
    (record,) = records()
    assert (record["event"], record["user_id"], record["message"]) == ("user_login", "5", "Signed in")


@pytest.mark.req("LOG-29")
def test_the_service_name_is_a_setting(tmp_path: Path) -> None:
    """SERVICE_NAME names the service in each record."""
    with logging_to(tmp_path, service_name="sentiric-telephony-gateway"):
        get_logger("x").info("m")
    assert spooled(tmp_path)[0]["service_name"] == "sentiric-telephony-gateway"


@pytest.mark.req("DOC-18")
def test_turkish_letters_survive(records: Records) -> None:
    """UTF-8 goes through unchanged."""
    get_logger("x").info("Nöbetçi çağrıldı: ĞÜŞİÖÇ ğüşıöç")
    assert records()[0]["message"] == "Nöbetçi çağrıldı: ĞÜŞİÖÇ ğüşıöç"


class _Raising:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.req("SMP-06")
@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        "\ud800 lone",
        "nul \0 byte",
        float("nan"),
        float("inf"),
        2**70,
        b"\xff\xfe",
        _Raising(),
        object,
        {1: {2: 3}},
        {"a": _Raising()},
    ],
    ids=["10 MB", "surrogate", "nul", "nan", "inf", "2**70", "bytes", "raising", "class", "int keys", "nested raising"],
)
def test_no_value_breaks_a_record(records: Records, value: object) -> None:
    """Whatever is passed as message, field or extra: one valid line of bounded length, and no exception in the caller."""
    log = get_logger("x")
    log.info(value)
    log.info("m", thing=value, status_code=value)
    log.info("m %s", value)
    found = records()
    assert len(found) == 3
    assert all(len(json.dumps(record)) < 140_000 for record in found)
    assert all(type(record.get("status_code", 0)) is int for record in found)


def test_cycles_and_depth_are_cut(records: Records) -> None:
    """A structure that contains itself, or never ends, is cut."""
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    get_logger("x").info("m", cycle=cycle, deep=deep)
    assert "too deep" in json.dumps(records()[0])


@pytest.mark.req("SMP-06")
def test_a_long_field_is_cut_with_a_mark(records: Records) -> None:
    """A field of 100 KB is cut and says how much is missing."""
    get_logger("x").info("m", body="y" * 100_000)
    assert records()[0]["extra"]["body"].endswith("characters cut]")
    assert len(json.dumps(records()[0])) < 10_000


def test_newlines_and_terminal_codes_stay_inside_one_line(tmp_path: Path) -> None:
    """Line breaks, ANSI codes and fake JSON in a message can't forge a second record."""
    with logging_to(tmp_path):
        get_logger("x").info('a\n{"timestamp":"forged"}\r\n\x1b[31mred')
    (record,) = spooled(tmp_path)
    assert record["message"].startswith("a\n")


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    ),
    st.text(),
)
@settings(deadline=None, max_examples=300)
def test_any_fields_give_one_valid_line_with_declared_types(fields: dict[str, Any], message: str) -> None:
    """For every input: one line, valid JSON, fixed fields intact, declared fields of their declared type, no NUL in a key."""
    line = encode(build("app", 20, "x", message, fields), 8192, 65536)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    record = json.loads(line)
    assert set(FIXED) <= set(record)
    assert all(key in FIELDS for key in record)
    assert all("\0" not in key and key for key in record.get("extra", {}))


@given(
    st.dictionaries(
        st.sampled_from([name for name, field in FIELDS.items() if not field.reserved]),
        st.integers() | st.text() | st.booleans() | st.floats() | st.lists(st.integers()),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=300)
def test_a_declared_field_never_gets_another_type(fields: dict[str, Any]) -> None:
    """A value that doesn't fit the declared type goes under extra: the index mapping can't be broken by a caller."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "long": int,
        "float": (int, float),
        "boolean": bool,
        "keyword": str,
        "text": str,
        "level": str,
    }
    record = json.loads(encode(build("app", 20, "x", "m", fields), 8192, 65536))
    for key, value in record.items():
        kind = FIELDS[key].type
        if kind in kinds and value is not None:
            assert isinstance(value, kinds[kind]), key
            assert kind == "boolean" or not isinstance(value, bool), key


@pytest.mark.req("LOG-10", "LOG-11", "COR-19")
def test_the_console_format_works_without_a_request_and_shortens_the_id() -> None:
    """Readable lines, a placeholder outside of requests, eight characters of the id, and nothing on standard error."""
    code = (
        "from app.core.logger import get_logger; from app.core import context\n"
        "get_logger('x').info('outside')\n"
        "context.bind(request_id='0123456789abcdef'); get_logger('x').info('inside\\x1b[31m', count=2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"LOG_FORMAT": "console", "PYTHONPATH": "."}
    )
    outside, inside = done.stdout.splitlines()
    assert "[-] x outside" in outside
    assert "[01234567] x inside\\x1b[31m" in inside
    assert "count=2" in inside
    assert done.stderr == ""


@pytest.mark.req("LOG-31", "CFG-03")
def test_an_empty_environment_logs_json_to_standard_output() -> None:
    """Without any setting: JSON on standard output, nothing on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", "from app.core.logger import get_logger; get_logger('x').info('hi')"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "."},
    )
    assert json.loads(done.stdout)["message"] == "hi"
    assert done.stderr == ""


@pytest.mark.req("TST-01")
def test_captures_of_tests_see_the_records(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that a test puts on the root logger gets the records of our loggers too."""
    get_logger("x").warning("seen", extra={"post_id": "1"})
    assert "seen" in caplog.text
    assert len(records()) == 1


@pytest.mark.req("PRV-04", "LOG-05")
def test_mask_sensitive_data_keeps_a_prefix_of_the_documents_example() -> None:
    """The example key keeps no more than its prefix."""
    assert mask_sensitive_data("Using sk_live_123456 now") == "Using sk_live_*** now"


def test_a_traceback_with_a_raising_str_is_still_a_record(records: Records) -> None:
    """An exception whose text can't be made is logged all the same."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("again")

    get_logger("x").error("m", exc_info=Broken())
    assert records()[0]["error_type"] == "Broken"


@pytest.mark.req("LOG-01", "LOG-14")
def test_uvicorns_own_loggers_are_taken_over_and_a_silenced_one_stays_silent(tmp_path: Path) -> None:
    """Its start-up lines become records; the access log that the server was started without does not come back."""
    access, error = logging.getLogger("uvicorn.access"), logging.getLogger("uvicorn.error")
    error.addHandler(logging.StreamHandler())
    access.handlers, access.propagate = [], False
    try:
        with logging_to(tmp_path):
            error.info("Application startup complete.")
            assert not access.hasHandlers()
    finally:
        access.propagate = True
    assert [record["message"] for record in spooled(tmp_path)] == ["Application startup complete."]


def test_a_record_that_can_not_be_made_is_counted_and_the_caller_goes_on(
    records: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Should making a record fail after all: no exception in the caller, one count, one line on standard error."""
    before = sample("log_records_dropped_total", reason="encoding_failed")

    def fail(*_: object) -> None:
        raise RuntimeError("no record today")

    monkeypatch.setattr("app.core.pipeline.quick_line", fail)
    get_logger("x").info("m")
    assert records() == []
    assert sample("log_records_dropped_total", reason="encoding_failed") == before + 1
    assert "a log record was lost: RuntimeError" in capsys.readouterr().err


@pytest.mark.req("LOG-04", "SHP-07")
def test_lost_records_are_critical(tmp_path: Path) -> None:
    """CRITICAL is for what can't be made good: the bound of the spool took records that nobody had delivered yet."""
    with logging_to(tmp_path, spool_segment_bytes=4096, spool_max_bytes=16384):
        for _ in range(200):
            get_logger("x").info("m" * 200)
    (said, *_) = [record for record in spooled(tmp_path) if record.get("event") == "spool.dropped"]
    assert (said["level"], said["log_level"]) == ("CRITICAL", "critical")
    assert said["count"] > 0
