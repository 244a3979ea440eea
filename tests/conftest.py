"""What all tests share: settings that no local .env touches, the order under `make test`, and the map from requirement rows to tests."""

import os
import signal
from collections import defaultdict
from collections.abc import Generator
from types import FrameType
from typing import Any, Final

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from app.core.config import Settings
from tests.support.leftovers import Leftovers

Settings.model_config["env_file"] = None

# No example has to be quick: a busy machine is not. Under `make test` they are the same each time, and new ones where a file runs alone.
hypothesis.settings.register_profile("nobet", deadline=None, derandomize="PYTEST_XDIST_WORKER" in os.environ)
hypothesis.settings.load_profile("nobet")


_leftovers = pytest.StashKey[Leftovers]()


def pytest_configure(config: pytest.Config) -> None:
    """End on SIGTERM as on Ctrl-C: through the fixtures, which stop the servers that they started."""
    signal.signal(signal.SIGTERM, _interrupt)
    if _hands_out(config):
        config.stash[_leftovers] = Leftovers()


def _hands_out(config: pytest.Config) -> bool:
    """Whether this process hands out the tests to others."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Before the others are told to end: see what they have started."""
    if _leftovers in session.config.stash:
        session.config.stash[_leftovers].look()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The others are gone: stop what they could not."""
    if _leftovers in config.stash:
        config.stash[_leftovers].clear()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Reports go from process to process as UTF-8; what a test has logged or compared may be half a surrogate."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_encodable, value))
    return value


class TellFailures:
    """Names each failed test at once; the report comes at the end, minutes later."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Is told of each phase of each test."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = str(getattr(crash, "message", "")).partition("\n")[0]
            self._reporter.write_line(f"\n  {report.nodeid} ({report.when}) went wrong: {message[:200]}", red=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have failures named by the process that has the screen."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(TellFailures(reporter))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --coverage-map."""
    parser.addoption("--coverage-map", action="store_true", help="list the requirement rows and the tests that prove them")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Print the map when it was asked for."""
    if not session.config.getoption("--coverage-map"):
        return
    rows: dict[str, list[str]] = defaultdict(list)
    for item in session.items:
        for mark in item.iter_markers("req"):
            for row in mark.args:
                rows[row].append(item.nodeid)
    print(f"\n{len(rows)} requirement rows are named by tests:")
    for row in sorted(rows):
        print(f"{row}  {', '.join(rows[row])}")


SHARING: Final = ("e2e", "integration")
"""Folders whose tests share servers: each is one process's work, so that the servers are started once."""


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Who runs what under `pytest -n`: the tests that share servers stay together, all others go file by file."""

    def _split_scope(self, nodeid: str) -> str:
        _, _, below = nodeid.partition("/")
        folder = below.partition("/")[0]
        return folder if folder in SHARING else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    """Is asked once, by the process that hands out the work."""
    return ByFolder(config, log)
