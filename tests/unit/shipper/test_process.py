"""Starting and asking the process: sentences, exit codes, doors."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.core import metrics, side_server
from app.core.config import load_settings
from app.shipper import process
from app.shipper.lock import AlreadyRunningError, SpoolLock
from tests.support.processes import bare_environment, free_offset_of, free_port


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run the shipper until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "app.shipper"],
        env=bare_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )


def test_without_a_spool_it_says_what_to_set() -> None:
    """One sentence, exit code 1."""
    ended = run(ENVIRONMENT="test")
    assert ended.returncode == 1
    assert ended.stderr.startswith("SPOOL_DIR is not set")
    assert ended.stderr.count("\n") == 1


def test_a_spool_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "spool").write_text("")
    ended = run(SPOOL_DIR=str(tmp_path / "spool"), ENVIRONMENT="test")
    assert ended.returncode == 1
    assert "can't be used" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_wrong_setting_ends_with_2() -> None:
    """The settings' own sentence."""
    ended = run(SHIPPER_BATCH_DOCS="many")
    assert ended.returncode == 2
    assert "SHIPPER_BATCH_DOCS" in ended.stderr


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Who listens there keeps it; the lock is given back."""
    offset = free_offset_of("shipper")
    server = side_server.serve("127.0.0.1", 8020 + offset, token=SecretStr(""), open_metrics=True, health=lambda: (True, {}))
    try:
        ended = run(SPOOL_DIR=str(tmp_path), STACK_PORT_OFFSET=str(offset), ENVIRONMENT="test", LOG_STDOUT="false")
    finally:
        server.shutdown()
        server.server_close()
    assert ended.returncode == 1
    assert f"Can't listen on 127.0.0.1:{8020 + offset}" in ended.stderr
    SpoolLock(tmp_path / ".shipper").release()


def test_the_lock_admits_one_and_dies_with_its_process(tmp_path: Path) -> None:
    """A second taker is told who has it; after `kill -9` of that one the lock is free."""
    code = (
        "import sys, time; from pathlib import Path; from app.shipper.lock import SpoolLock;"
        " SpoolLock(Path(sys.argv[1])); print('taken', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", f"import time; {code}", str(tmp_path)], env=bare_environment(), stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"taken\n"
    with pytest.raises(AlreadyRunningError, match=f"process {holder.pid}"):
        SpoolLock(tmp_path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    SpoolLock(tmp_path).release()


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a server whose metrics need the token."""
    port = free_port()
    server = side_server.serve(
        "127.0.0.1", port, token=SecretStr("a-token-of-24-characters"), open_metrics=False, health=lambda: (False, {"status": "degraded"})
    )
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


@pytest.mark.req("ACC-01")
def test_metrics_need_the_token(served: str) -> None:
    """401 without it or with another, 200 with it, at both paths."""
    for path in ("/metrics", "/metrics/"):
        assert httpx.get(served + path, trust_env=False).status_code == 401
        assert httpx.get(served + path, headers={"authorization": "Bearer wrong"}, trust_env=False).status_code == 401
        answer = httpx.get(served + path, headers={"authorization": "Bearer a-token-of-24-characters"}, trust_env=False)
        assert answer.status_code == 200


def test_health_tells_degraded_from_alive(served: str) -> None:
    """Alive answers 200 as long as the process runs; ready and health answer 503 when shipping doesn't work."""
    statuses = {
        path: httpx.get(served + path, trust_env=False).status_code for path in ("/health/live", "/health", "/health/ready", "/nothing")
    }
    assert statuses == {"/health/live": 200, "/health": 503, "/health/ready": 503, "/nothing": 404}


def test_a_silent_client_is_cut_off(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens a connection and says nothing does not keep a thread for ever."""
    import socket

    host, _, port = served.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=side_server.REQUEST_SECONDS + 10) as quiet:
        assert quiet.recv(1) == b""


class _Loop:
    def __init__(self, alive_at: float) -> None:
        self.alive_at = alive_at


@pytest.mark.parametrize(
    ("gauges", "healthy"),
    [
        ({"shipper_held": 0, "shipper_oldest_unshipped_seconds": 0}, True),
        ({"shipper_held": 1, "shipper_oldest_unshipped_seconds": 0}, False),
        ({"shipper_held": 0, "shipper_oldest_unshipped_seconds": 3600}, False),
    ],
)
def test_alive_but_shipping_nothing_is_not_healthy(gauges: dict[str, float], healthy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused credentials, and old records of which none is taken, are told as such."""
    for name, value in gauges.items():
        metrics.gauge(name).set(value)
    metrics.gauge("shipper_last_success_timestamp_seconds").set(0)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    shipper: Any = _Loop(time.monotonic())
    check = process.health_of(shipper)
    monkeypatch.setattr(time, "time", lambda: 1000.0 + 2 * process.STALLED_SECONDS)
    assert check()[0] == healthy
    metrics.gauge("shipper_held").set(0)


def test_credentials_are_read_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A corrected password file is enough; a broken setting in between is no reason to fall over."""
    given: list[Any] = []

    class Client:
        def sign_in(self, auth: Any) -> None:
            given.append(auth)

    client: Any = Client()
    secret = tmp_path / "password"
    secret.write_text("first-password")
    monkeypatch.setenv("ELASTICSEARCH_SHIPPER_PASSWORD_FILE", str(secret))
    process.renew_sign_in(client)
    secret.write_text("second-password")
    process.renew_sign_in(client)
    secret.unlink()
    process.renew_sign_in(client)
    assert given == [("nobet_shipper", "first-password"), ("nobet_shipper", "second-password")]


def test_metrics_are_open_only_in_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty token opens the door in development and test, nowhere else, and a set one closes it everywhere."""
    assert process._metrics_open(load_settings(environment="test"))
    assert not process._metrics_open(load_settings(environment="test", metrics_token="t" * 24))


def test_no_state_is_readable_by_others(tmp_path: Path) -> None:
    """Positions and lock are the owner's."""
    SpoolLock(tmp_path).release()
    assert (tmp_path / "lock").stat().st_mode & 0o077 == 0
