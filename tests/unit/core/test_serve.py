"""Our way of starting a service: one clear sentence for a wrong setting, JSON from the first line, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from app.core.config import load_settings
from app.core.serve import PATIENCE_SECONDS, server_options
from tests.support.processes import free_port
from tests.support.waiting import wait_until

APP = """
from fastapi import FastAPI
from app.core.config import get_settings
from app.core.kit import Observability
obs = Observability("app", get_settings())
app = FastAPI(lifespan=obs.lifespan)
obs.install(app)
"""


def start(folder: Path, port: int, workers: int, **environment: str) -> subprocess.Popen[str]:
    """A service of its own, in a process of its own."""
    (folder / "small.py").write_text(APP, encoding="utf-8")
    command = [sys.executable, "-m", "app.core.serve", "small:app", "--service", "app", "--port", str(port), "--workers", str(workers)]
    paths = {"PYTHONPATH": f"{Path.cwd()}:{folder}", "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir(exist_ok=True)
    env = {**os.environ, **paths, **environment}
    return subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.req("LOG-01", "DEP-03", "PRF-10")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_starts_serves_and_ends_in_order_with_json_only(tmp_path: Path, workers: int) -> None:
    """With one worker or several: every line is JSON, SIGTERM ends it, and no folder of shared metrics is left."""
    port = free_port()
    process = start(tmp_path, port, workers)
    try:
        live = f"http://127.0.0.1:{port}/health/live"
        wait_until("the service answering", lambda: httpx.get(live).status_code == 200, 60)
        body = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        wait_until("all workers sharing", lambda: f"process_workers {workers}.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text, 30)
        assert "app_info" in body
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    records = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    events = [record.get("event") for record in records]
    assert events.count("app.started") == events.count("app.stopped") == workers
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.req("CFG-03")
@pytest.mark.parametrize(
    ("wrong", "settings"),
    [
        ("LOG_LEVEL", {"LOG_LEVEL": "LOUD"}),
        ("JWT_SECRET", {"ENVIRONMENT": "production", "METRICS_TOKEN": "m" * 24}),
        ("JWT_SECRET", {"ENVIRONMENT": "production", "METRICS_TOKEN": "m" * 24, "JWT_SECRET": "a-short-secret"}),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, wrong: str, settings: dict[str, str]) -> None:
    """No traceback; exit code 2."""
    process = start(tmp_path, free_port(), 1, **settings)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert wrong in err
    assert "a-short-secret" not in err
    assert "Traceback" not in err + out


@pytest.mark.req("PRF-10")
def test_a_worker_has_time_to_start_on_a_busy_machine() -> None:
    """Uvicorn is told our patience: with its own 5 s no worker would start where imports take longer."""
    assert server_options(load_settings(_env_file=None))["timeout_worker_healthcheck"] == PATIENCE_SECONDS


@pytest.mark.req("PRF-10", "WSC-02")
def test_a_worker_killed_while_it_is_asked_for_a_sign_of_life_is_replaced_at_once(tmp_path: Path) -> None:
    """It was asked and can't answer any more; the parent sees its end instead of waiting out its patience."""
    port = free_port()
    process = start(tmp_path, port, 2)
    try:
        wait_until("two workers", lambda: "process_workers 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text, 60)
        victim, _ = workers_of(process.pid)
        os.kill(victim, signal.SIGSTOP)
        time.sleep(2)  # the parent asks twice a second
        os.kill(victim, signal.SIGKILL)
        wait_until(
            "another in its place",
            lambda: len(workers_of(process.pid)) == 2 and victim not in workers_of(process.pid),
            PATIENCE_SECONDS / 3,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def workers_of(parent: int) -> list[int]:
    """The process ids of the workers that live."""
    children = psutil.Process(parent).children()
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
