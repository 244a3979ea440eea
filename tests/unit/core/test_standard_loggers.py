"""The standard library's loggers: the short way writes what the long way writes, and is taken only where nobody would miss anything."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.core.standard_loggers import PipelineLogger
from tests.support.records import listen_alone, logging_to, spooled

NAME = "tests.standard"


class Counting(logging.Handler):
    """Somebody else's handler."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class Alone:
    """Logging as in a service, where no test runner listens too."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        listen_alone()

    def __call__(self) -> list[dict[str, Any]]:
        """The records so far."""
        return spooled(self._spool)


@pytest.fixture
def be_alone(tmp_path: Path) -> Iterator[Callable[[], Alone]]:
    """To be called in the test itself: the runner's own handlers are put there just before."""
    with logging_to(tmp_path / "spool"):
        yield lambda: Alone(tmp_path / "spool")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger, as it was before, whatever the test puts on it."""
    found = logging.getLogger(NAME)
    yield found
    found.filters.clear()
    found.handlers.clear()
    found.propagate = True
    found.setLevel(logging.NOTSET)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each LogRecord that is made the standard way."""
    count: list[int] = []
    usual = logging.LogRecord.__init__

    def init(self: logging.LogRecord, *args: Any, **kwargs: Any) -> None:
        count.append(1)
        usual(self, *args, **kwargs)

    monkeypatch.setattr(logging.LogRecord, "__init__", init)
    return count


def log_everything(logger: logging.Logger) -> None:
    """Calls of every kind."""
    logger.info("Plain")
    logger.info("feed.loaded", extra={"event": "feed.loaded", "count": 3, "odd": object})
    logger.warning("With %s and %d", "text", 3)
    logger.warning("With %(one)s", {"one": 1})
    logger.warning("Wrong %d", "text")
    logger.info(ValueError("no text"))
    logger.info('{"event":"a.b","count":1}')
    logger.error("card 4111 1111 1111 1111", extra={"password": "hunter2"})
    try:
        raise LookupError("gone")
    except LookupError as error:
        logger.exception("In a handler")
        logger.error("By name", exc_info=error)
    logger.log(25, "Between", extra={"status_code": 200})
    logging.LoggerAdapter(logger, {"count": 4}).info("Adapted")


def comparable(records: list[dict[str, Any]]) -> str:
    """Without the times, and without the places of objects and lines."""
    return json.dumps([{key: value for key, value in record.items() if key not in ("timestamp", "error_location")} for record in records])


@pytest.mark.req("LOG-05", "LOG-07")
def test_the_short_way_writes_what_the_long_way_writes(be_alone: Callable[[], Alone], logger: logging.Logger, made: list[int]) -> None:
    """Every kind of call, once each way; the first makes no LogRecord at all, and the second one for each call."""
    alone = be_alone()
    log_everything(logger)
    short = alone()
    assert made == []
    logger.addFilter(lambda _record: True)
    log_everything(logger)
    long = alone()[len(short) :]
    assert len(made) == len([record for record in long if record.get("event") != "error.traceback"])
    assert comparable(short) == comparable(long)
    assert len(short) >= 13


def test_all_loggers_of_the_process_take_it(be_alone: Callable[[], Alone], made: list[int]) -> None:
    """Those made before the set-up, those made after it, structlog's; not those of another class."""
    alone = be_alone()
    assert type(logging.getLogger("tests.standard.later")) is PipelineLogger
    logging.getLogger("tests.standard.later").info("later")
    structlog.get_logger("tests.standard.structlog").info("feed.loaded", count=2)
    assert [record["message"] for record in alone()] == ["later", "feed.loaded"]
    assert made == []


def test_another_handler_gets_its_record(be_alone: Callable[[], Alone], logger: logging.Logger) -> None:
    """On the root or on the logger: a LogRecord with the caller's place, and ours is written once all the same."""
    alone = be_alone()
    for place in (logging.getLogger(), logger):
        other = Counting()
        place.addHandler(other)
        logger.info("For two", extra={"count": 1})
        place.removeHandler(other)
        (record,) = other.records
        assert (record.getMessage(), record.filename, record.count) == ("For two", Path(__file__).name, 1)  # type: ignore[attr-defined]
    logging.getLogger().addHandler(other)
    structlog.get_logger(NAME).info("From structlog", stack_info=True)
    logging.getLogger().removeHandler(other)
    assert (other.records[-1].filename, other.records[-1].funcName) == (Path(__file__).name, "test_another_handler_gets_its_record")
    assert [record["message"] for record in alone()] == ["For two", "For two", "From structlog"]


def test_a_filter_is_asked(be_alone: Callable[[], Alone], logger: logging.Logger) -> None:
    """On the logger and on our handler."""
    alone = be_alone()
    ours = logging.getLogger().handlers[0]
    logger.addFilter(lambda record: "secret" not in record.getMessage())
    ours.addFilter(lambda record: "hidden" not in record.getMessage())
    for text in ("a secret", "hidden", "open"):
        logger.info(text)
    logger.filters.clear()
    logger.info("hidden")
    ours.filters.clear()
    assert [record["message"] for record in alone()] == ["open"]


def test_levels_and_switches_hold(be_alone: Callable[[], Alone], logger: logging.Logger) -> None:
    """The logger's level, the handler's, `disabled`, `logging.disable` and `propagate`."""
    alone = be_alone()
    logger.setLevel(logging.WARNING)
    logger.info("below the logger's level")
    logger.setLevel(logging.DEBUG)
    ours = logging.getLogger().handlers[0]
    ours.setLevel(logging.ERROR)
    logger.warning("below the handler's level")
    ours.setLevel(logging.NOTSET)
    logger.disabled = True
    logger.error("disabled")
    logger.disabled = False
    logging.disable(logging.ERROR)
    logger.error("all disabled")
    logging.disable(logging.NOTSET)
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.error("kept to itself")
    logger.propagate = True
    logger.handlers.clear()
    logger.error("written")
    assert [record["message"] for record in alone()] == ["written"]


def test_a_reserved_name_is_refused_as_ever(be_alone: Callable[[], Alone], logger: logging.Logger) -> None:
    """The standard library raises KeyError for a field that would hide an attribute of the record's."""
    alone = be_alone()
    with pytest.raises(KeyError, match="Attempt to overwrite"):
        logger.info("x", extra={"message": "y"})
    assert alone() == []


@pytest.mark.parametrize("place", ["callHandlers", "handle", "makeRecord"])
def test_a_patch_of_another_library_works(
    be_alone: Callable[[], Alone], logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Error trackers put themselves into the standard library's methods; they are called for each record."""
    alone = be_alone()
    seen: list[str] = []
    usual = getattr(logging.Logger, place)

    def patched(self: logging.Logger, *args: Any, **kwargs: Any) -> Any:
        seen.append(self.name)
        return usual(self, *args, **kwargs)

    monkeypatch.setattr(logging.Logger, place, patched)
    logger.info("seen")
    assert seen == [NAME]
    assert [record["message"] for record in alone()] == ["seen"]


def test_another_factory_of_records_is_used(be_alone: Callable[[], Alone], logger: logging.Logger) -> None:
    """What it adds is in the record."""
    alone = be_alone()
    usual = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = usual(*args, **kwargs)
        record.count = 7
        return record

    logging.setLogRecordFactory(factory)
    try:
        logger.info("made elsewhere")
    finally:
        logging.setLogRecordFactory(usual)
    (record,) = alone()
    assert record["count"] == 7
