"""What all tests share: settings that no local .env touches, and the map from requirement rows to tests."""

import signal
from collections import defaultdict
from types import FrameType

import pytest

from app.core.config import Settings

Settings.model_config["env_file"] = None


def pytest_configure() -> None:
    """End on SIGTERM as on Ctrl-C: through the fixtures, which stop the servers that they started."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
