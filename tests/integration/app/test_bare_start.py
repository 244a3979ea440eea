"""`uvicorn app.main:app` with nothing set at all."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.processes import STOP_SECONDS, bare_environment, free_port
from tests.support.users import new_user
from tests.support.waiting import wait_until


@pytest.mark.req("LOG-01", "LOG-31", "LOG-02", "SEB-05", "TRC-10")
def test_an_empty_environment_is_enough(tmp_path: Path) -> None:
    """It starts in an empty folder, serves, crashes and stops; every line of output is a JSON record, nothing is on standard error."""
    port = free_port()
    output, errors = tmp_path / "out", tmp_path / "err"
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    folder = tmp_path / "empty"
    folder.mkdir()
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, env=bare_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            wait_until("it answers", lambda: client.get("/health").status_code == 200, 120)
            statuses = [client.get(path).status_code for path in ("/feed", "/nowhere", "/feed?limit=x", "/crash", "/metrics", "/docs")]
            assert statuses == [200, 404, 400, 500, 200, 200]
            user = new_user(client)
            assert client.post("/posts", json={"title": "a", "body": "b"}, headers=user.headers).status_code == 201
            assert client.post("/suggest", json={"user_id": "7", "topic": "a"}).status_code == 503
            assert len(client.get("/feed").json()["posts"]) == 1
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
    assert errors.read_text() == ""
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert all({"timestamp", "log_level", "service_name", "message"} <= record.keys() for record in records)
    assert [record["event"] for record in records if record.get("event") in ("app.started", "app.stopped")] == [
        "app.started",
        "app.stopped",
    ]


@pytest.mark.parametrize("target", ["app.main:app", "app.voice.main:app"])
def test_a_wrong_setting_ends_in_one_sentence(tmp_path: Path, target: str) -> None:
    """Not zero, the variable named, no traceback, and no value of a secret."""
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", target, "--port", str(free_port())],
        cwd=tmp_path,
        env=bare_environment(ENVIRONMENT="production", METRICS_TOKEN="changeme"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "METRICS_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
    assert "changeme" not in done.stderr + done.stdout
