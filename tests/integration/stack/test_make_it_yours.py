"""docs/adopt.md, done: its commands run and its files written, in copies of the checkout and beside an app that was there before."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.stack.rename import NAME, REPOSITORY, TITLE
from tests.config.test_docs import blocks
from tests.support.processes import CHECKOUT, STOP_SECONDS, bare_environment, free_port
from tests.support.waiting import wait_until

PAGE: Final = CHECKOUT / "docs" / "adopt.md"
START_SECONDS: Final = 90
RECORD_SECONDS: Final = 30
"""The last record of a request is written after its answer."""

NEW_NAME: Final = "vardiya"

EXISTING: Final = '''\
"""A shop that was there before: a lifespan, a middleware and an error answer of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

opened: list[str] = []


class OutOfStock(Exception):
    """Nothing left."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    opened.append("pool")
    yield


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def version(request: Request, call_next):
    answer = await call_next(request)
    answer.headers["X-Shop"] = "1"
    return answer


@app.exception_handler(OutOfStock)
async def out_of_stock(request: Request, error: OutOfStock) -> JSONResponse:
    return JSONResponse({"error": "out of stock"}, 409)


@app.get("/orders/{order_id}")
async def read_order(order_id: int) -> dict[str, object]:
    if order_id == 0:
        raise OutOfStock
    return {"order_id": order_id, "opened": opened}


@app.get("/broken")
async def broken() -> None:
    raise RuntimeError("the till is stuck")
'''


def page_files() -> dict[str, str]:
    """The files that the page shows, by the name in their first line."""
    found = {}
    for language, code in blocks(PAGE):
        head = re.match(r"# ([\w/]+\.py)\n", code)
        if language == "python" and head:
            found[head[1]] = code
    return found


def page_commands(beginning: str) -> str:
    """The shell block of the page that begins so."""
    found = [code for language, code in blocks(PAGE) if language == "sh" and code.startswith(beginning)]
    assert len(found) == 1, beginning
    return found[0]


def run(folder: Path, *command: str, **variables: str) -> str:
    """What a command printed; it must succeed."""
    environment = {**bare_environment(HOME=str(folder)), "PYTHONPATH": str(folder), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone of this project, without any state."""
    folder = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", "--no-hardlinks", str(CHECKOUT), str(folder))
    return folder


@contextmanager
def served(folder: Path, target: str, **variables: str) -> Iterator[tuple[httpx.Client, Path]]:
    """The app running as the page starts it; a client, and the file with what it printed."""
    port, output = free_port(), folder / "output.log"
    command = [sys.executable, "-m", "uvicorn", target, "--port", str(port), "--no-access-log"]
    environment = {**bare_environment(HEALTH_TIMEOUT_SECONDS="20"), "PYTHONPATH": str(folder), **variables}
    with output.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:

            def answers() -> bool:
                assert process.poll() is None, output.read_text()
                try:
                    return client.get("/health/live").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until("it answers", answers, START_SECONDS)
            yield client, output
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def assert_it_works(client: httpx.Client, output: Path) -> None:
    """The page's own list: `Check that it works`."""
    answer = client.get("/orders/17", headers={"X-Event-ID": "abc123"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "abc123"
    assert client.get("/health").status_code == 200
    measured = client.get("/metrics").text
    assert re.search(r'^http_requests_total\{endpoint="/orders/\{order_id\}",.*\} 1\.0$', measured, re.MULTILINE)
    wanted = {"http.request.started", "http.request.completed"}
    wait_until(
        "the records of the request", lambda: wanted <= {record.get("event") for record in records(output, "abc123")}, RECORD_SECONDS
    )


def records(output: Path, ident: str) -> list[dict[str, Any]]:
    """The records of a request that were printed."""
    lines = output.read_text(encoding="utf-8").splitlines(keepends=True)
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [record for record in found if record.get("request_id") == ident]


def test_a_renamed_clone_is_whole(clone: Path) -> None:
    """After `nobet rename` no old name is left, style and generated files are in order, and it starts under its new name."""
    shown = run(clone, sys.executable, "-m", "app.cli", "rename", NEW_NAME, "--title", "Vardiya", "--dry-run")
    assert f"become {NEW_NAME} or Vardiya" in shown
    assert run(clone, "git", "status", "--porcelain") == "", "a dry run changes nothing"
    run(clone, sys.executable, "-m", "app.cli", "rename", NEW_NAME, "--title", "Vardiya", "--yes")

    run(clone, "git", "add", "--all")
    files = [Path(name) for name in run(clone, "git", "ls-files").splitlines()]
    assert not [name for name in files if NAME in str(name).lower()]
    left = []
    for name in (name for name in files if str(name) not in ("LICENSE", "CHANGELOG.md") and (clone / name).is_file()):
        text = (clone / name).read_bytes().decode("utf-8", "replace").replace(REPOSITORY, "")
        left += [name] if NAME in text.lower() or TITLE in text else []
    assert left == []

    run(clone, sys.executable, "-m", "ruff", "check", "--quiet", ".")
    run(clone, sys.executable, "-m", "ruff", "format", "--quiet", "--check", ".")
    run(clone, "bash", "scripts/generate.sh", sys.executable, "--check")
    quick = (
        "tests/unit/core/test_contract.py",
        "tests/config/test_names.py",
        "tests/config/test_elasticsearch.py",
    )
    run(clone, sys.executable, "-m", "pytest", "-q", "--timeout=120", *quick, STACK_CACHE_DIR=str(CHECKOUT / ".stack" / "cache"))
    assert "Vardiya" in run(clone, sys.executable, "-m", "app.cli", "--help")
    with served(clone, "app.main:app") as (client, _):
        assert client.get("/feed").status_code == 200


def test_the_example_can_be_taken_out(clone: Path) -> None:
    """The page's commands and files leave a project that is in order: it starts, its own route is seen, the example is gone."""
    run(clone, "bash", "-e", "-c", page_commands("git rm -r --quiet app/api"))
    for name, code in page_files().items():
        if "/" in name:
            (clone / name).write_text(code, encoding="utf-8")
    run(clone, sys.executable, "-m", "ruff", "check", "--quiet", "app")
    run(clone, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    run(clone, sys.executable, "-m", "app.cli", "--help")
    with served(clone, "app.main:app") as (client, output):
        assert_it_works(client, output)
        assert client.get("/feed").status_code == 404
        assert client.get("/health").json()["checks"]["database"] == "ok"
        assert "Order read" in {record["message"] for record in records(output, "abc123")}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project of somebody's own, with the kit copied into it as the page says."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / NAME).symlink_to(CHECKOUT)
    run(folder, "bash", "-e", "-c", page_commands("mkdir -p app\n"))
    (folder / NAME).unlink()
    return folder


def adopted(kit: str) -> str:
    """The existing app with the lines of the page in it: import, `running()` inside its lifespan, `install` at its end."""
    imports = f'from {kit}.config import get_settings\nfrom {kit}.kit import Observability\n\nobs = Observability("app", get_settings())\n'
    text = EXISTING.replace("\nopened:", f"\n{imports}opened:")
    text = text.replace(
        '    opened.append("pool")\n    yield\n', '    opened.append("pool")\n    async with obs.running():\n        yield\n'
    )
    return text + "\n\nobs.install(app)\n"


def assert_the_shop_is_seen(client: httpx.Client, output: Path) -> None:
    """What it did before it still does; what it did not do before, it does."""
    assert_it_works(client, output)
    answer = client.get("/orders/0", headers={"X-Request-ID": "sold-out"})
    assert (answer.status_code, answer.json()) == (409, {"error": "out of stock"})
    assert (answer.headers["x-shop"], answer.headers["x-request-id"]) == ("1", "sold-out")
    assert client.get("/orders/1").json()["opened"] == ["pool"]
    broken = client.get("/broken", headers={"X-Request-ID": "stuck"})
    assert (broken.status_code, broken.headers["x-request-id"]) == (500, "stuck")
    told = lambda: any(record.get("error_type") == "RuntimeError" for record in records(output, "stuck"))  # noqa: E731
    wait_until("the record of the exception", told, RECORD_SECONDS)
    assert {record["service_name"] for record in records(output, "stuck")} == {"orders"}


def test_the_kit_in_an_existing_app(shop: Path) -> None:
    """A few lines: its own lifespan, middleware and error answers go on working, and every request is seen."""
    (shop / "main.py").write_text(adopted("app.core"), encoding="utf-8")
    with served(shop, "main:app", SERVICE_NAME="orders") as (client, output):
        assert_the_shop_is_seen(client, output)


def test_the_kit_under_another_name(shop: Path) -> None:
    """Where the project has an `app/core` of its own."""
    (shop / NAME).symlink_to(CHECKOUT)
    run(shop, "bash", "-e", "-c", page_commands("cp -r nobet/app/core app/watch"))
    (shop / NAME).unlink()
    shutil.rmtree(shop / "app" / "core")
    (shop / "main.py").write_text(adopted("app.watch"), encoding="utf-8")
    with served(shop, "main:app", SERVICE_NAME="orders") as (client, output):
        assert_the_shop_is_seen(client, output)


@pytest.mark.parametrize("name", ["main.py", "main_with_lifespan.py"])
def test_each_way_to_put_it_in(shop: Path, name: str) -> None:
    """The page's own programs start and serve."""
    (shop / "main.py").write_text(page_files()["main.py"], encoding="utf-8")
    (shop / name).write_text(page_files()[name], encoding="utf-8")
    with served(shop, f"{name.removesuffix('.py')}:app", SERVICE_NAME="orders") as (client, output):
        if name == "main.py":
            assert_it_works(client, output)
        assert client.get("/health/ready").status_code == 200


def test_the_other_programs_of_the_page_run(shop: Path) -> None:
    """Logging, errors, traces, jobs: imported and called as they stand there."""
    for name, code in page_files().items():
        if "/" not in name:
            (shop / name).write_text(code, encoding="utf-8")
    program = (
        "import asyncio, contract_entries, health, jobs, log_errors, log_styles, report, trace\n"
        "log_styles.place(2); log_styles.place_event_style(3)\n"
        "assert log_errors.pay('7', 5) and not log_errors.pay('7', 0)\n"
        "report.check_stock(0); report.check_stock(-1)\n"
        "assert jobs.nightly_report()\n"
    )
    run(shop, sys.executable, "-c", program)


def test_the_packages_that_the_page_names_are_those_that_the_kit_imports() -> None:
    """No more and no less: who copies the kit installs this list."""
    imported: set[str] = set()
    for path in (CHECKOUT / "app" / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    needed = imported - set(sys.stdlib_module_names) - {"app", "starlette", "pydantic_core"}  # the two come with FastAPI and Pydantic
    said = PAGE.read_text(encoding="utf-8").partition("The kit needs these packages")[2].partition("To ship the records")[0]
    named = {name.partition(".")[0].replace("-", "_") for name in re.findall(r"`([a-z-]+)`", said)}
    named = {"opentelemetry" if name.startswith("opentelemetry") else name for name in named}
    assert needed - named == set()
    assert named - needed <= {"structlog", "uvloop", "httptools", "elasticsearch"}, "named for what it says there"
