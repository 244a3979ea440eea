"""The programs that check the configuration, from the native stack's own cache; installed when they are missing."""

import os
from pathlib import Path

import pytest

from app.stack.components.metrics import ALERTMANAGER, BLACKBOX, PROMETHEUS
from app.stack.install import install, unusable
from app.stack.model import Component
from tests.support.processes import CHECKOUT

CACHE = Path(os.environ.get("STACK_CACHE_DIR") or CHECKOUT / ".stack" / "cache")


def program(component: Component, *names: str) -> Path:
    """A program of a component under one of its names, installed from the first source that this machine can use."""
    source = next(source for source in component.sources if not unusable(source))
    home = install(source, component, CACHE, print)
    found = [folder / name for folder in (home, home / "usr" / "bin") for name in names if (folder / name).is_file()]
    assert found, f"{component.title} brings none of {names} in {home}"
    return found[0]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Debian's promtool, which is the oldest that is supported."""
    return program(PROMETHEUS, "promtool")


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's command line."""
    return program(ALERTMANAGER, "amtool")


@pytest.fixture(scope="session")
def alertmanager() -> Path:
    """The Alertmanager that the native stack runs."""
    return program(ALERTMANAGER, "alertmanager", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def blackbox() -> Path:
    """The blackbox exporter that the native stack runs."""
    return program(BLACKBOX, "prometheus-blackbox-exporter")
