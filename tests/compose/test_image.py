"""The image of our own processes, built from its Dockerfile: what is in it, and what is not."""

import json
import re
from typing import Any, Final

import pytest

from app.stack.paths import CHECKOUT
from tests.compose.containers import Containers

INTERPRETER: Final = "/opt/venv/bin/python"


@pytest.fixture(scope="module")
def image(stack: Containers) -> str:
    """The id of the image that the app runs from."""
    return str(stack.inspect()["app"]["Image"])


@pytest.mark.req("ACC-07")
def test_no_secret_and_no_state_is_in_the_image(stack: Containers, image: str) -> None:
    """No layer, variable or label shows a secret of this stack, and of the checkout only the program is inside."""
    history = stack.engine.docker("history", "--no-trunc", image) + json.dumps(_config(stack, image))
    names = [line.partition("=")[0] for line in (stack.folder / ".env").read_text(encoding="utf-8").splitlines() if "=" in line]
    assert [name for name in names if len(stack.secret(name)) > 8 and stack.secret(name) in history] == []
    inside = _inside(stack, image, "import os; print(*sorted(os.listdir('/srv/nobet')))").split()
    assert inside == ["alembic.ini", "app"]


def test_the_image_has_the_pinned_packages_and_no_others(stack: Containers, image: str) -> None:
    """Exactly requirements/base.txt, each in its version; neither pip nor uv stayed."""
    text = (CHECKOUT / "requirements" / "base.txt").read_text(encoding="utf-8")
    pinned = {_plain(name): version for name, version in re.findall(r"^([\w.\-]+)(?:\[[\w,]+\])?==([^\s;]+)", text, re.MULTILINE)}
    listing = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    found = {_plain(name): version for name, version in (item.split("==") for item in _inside(stack, image, listing).split())}
    assert found.items() <= pinned.items()
    assert {"fastapi", "uvicorn", "elasticsearch"} <= found.keys()
    assert not {"pip", "uv", "pytest"} & found.keys()


def test_the_image_is_meant_for_an_ordinary_user(stack: Containers, image: str) -> None:
    """It runs as 10001, whose code it cannot change."""
    assert _config(stack, image)["User"] == "10001:10001"
    owner = _inside(stack, image, "import os; print(os.stat('/srv/nobet/app').st_uid, os.access('/srv/nobet/app', os.W_OK))")
    assert owner.split() == ["0", "False"]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _config(stack: Containers, image: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(stack.engine.docker("inspect", image))[0]["Config"]
    return config


def _inside(stack: Containers, image: str, code: str) -> str:
    return stack.engine.docker("run", "--rm", "--network=none", "--entrypoint", INTERPRETER, image, "-c", code)
