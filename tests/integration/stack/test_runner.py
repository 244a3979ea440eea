"""Starting, watching and stopping, with servers that start quickly."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO

import httpx
import psutil
import pytest
from redis import Redis
from rich.console import Console

from app.core.ports import LOOPBACK
from app.stack.down import down, stop_components
from app.stack.errors import StackError
from app.stack.status import native_status
from app.stack.up import up
from tests.support.stack import RunningStack, new_stack
from tests.support.waiting import wait_until


@pytest.fixture
def own() -> Iterator[RunningStack]:
    """A stack that a test may stop."""
    found = new_stack()
    yield found
    found.close()


def _up(stack: RunningStack, *names: str) -> tuple[bool, str]:
    output = StringIO()
    changed = up(stack.declared, Console(file=output, width=160), names)
    return changed, output.getvalue()


def _redis(stack: RunningStack) -> Redis:
    return Redis(port=stack.port("redis"), password=stack.secret("REDIS_PASSWORD"))


def _processes_of(stack: RunningStack) -> list[psutil.Process]:
    """All processes that name the stack's folder in their command line or work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(stack.folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(stack.folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _command_lines(stack: RunningStack) -> list[str]:
    found = []
    for process in _processes_of(stack):
        with suppress(psutil.Error):  # a session of the database, which has ended meanwhile
            found.append(" ".join(process.cmdline()))
    return found


def test_a_second_start_is_a_no_op(own: RunningStack) -> None:
    """With everything running nothing is restarted: the same process goes on, and `up` says that it had nothing to do."""
    changed, lines = _up(own, "redis")
    assert changed
    assert "Redis  ready" in lines
    pid = own.pid("redis")
    assert _up(own, "redis") == (False, "")
    assert own.pid("redis") == pid


def test_stopping_leaves_no_process_and_no_socket_and_keeps_the_data(own: RunningStack) -> None:
    """After `down` nothing of the stack is left but its data, and the next start goes on with it."""
    own.need("redis", "blackbox")
    with _redis(own) as client:
        client.set("kept", "yes")
    socket_file = own.declared.paths.supervisor_socket
    assert socket_file.exists()
    assert down(own.declared, Console(quiet=True))
    assert _processes_of(own) == []
    assert not socket_file.exists()
    assert not down(own.declared, Console(quiet=True))
    own.need("redis")
    with _redis(own) as client:
        assert client.get("kept") == b"yes"


def test_what_dies_is_started_again_and_counted(own: RunningStack) -> None:
    """After kill -9 the supervisor brings the server back, and `status` tells of one restart."""
    own.need("redis")
    old = own.kill("redis")
    wait_until("another Redis process", lambda: own.is_ready("redis") and own.pid("redis") != old, 60)

    def told() -> list[tuple[str, int]]:
        return [(line.state, line.restarts) for line in native_status(own.declared) if line.name == "redis"]

    wait_until("its status tells of it", lambda: told() == [("healthy", 1)])


def test_a_changed_setting_restarts_only_what_it_concerns(own: RunningStack) -> None:
    """With another Redis password Redis and its exporter are restarted with it, and PostgreSQL runs on."""
    own.need("redis_exporter", "postgres")
    redis, postgres = own.pid("redis"), own.pid("postgres")
    env_file = own.declared.paths.env_file
    text = env_file.read_text()
    env_file.write_text(text.replace(own.secret("REDIS_PASSWORD"), "another-password-0123456789"))
    own.reopen()
    own.need("redis_exporter", "postgres")
    assert own.pid("postgres") == postgres
    assert own.pid("redis") != redis
    with Redis(port=own.port("redis"), password="another-password-0123456789") as client:
        assert client.ping()


def test_a_new_database_password_is_given_to_the_role(own: RunningStack) -> None:
    """Whoever loses or changes POSTGRES_PASSWORD starts again and goes on with the same data: the role follows the secret."""
    own.need("postgres_exporter")
    env_file = own.declared.paths.env_file
    env_file.write_text(env_file.read_text().replace(own.secret("POSTGRES_PASSWORD"), "another-password-0123456789"))
    own.reopen()
    own.need("postgres_exporter")
    assert own.secret("POSTGRES_PASSWORD") == "another-password-0123456789"
    url = f"http://127.0.0.1:{own.port('postgres_exporter')}/metrics"
    wait_until("the exporter signing in with the new password", lambda: "pg_up 1" in httpx.get(url, timeout=10).text.splitlines(), 60)


def test_a_taken_port_is_said_before_anything_starts(own: RunningStack) -> None:
    """Somebody else's listener is named, and no half a stack is left running."""
    with socket.create_server((LOOPBACK, own.port("redis"))), pytest.raises(StackError) as caught:
        own.need("redis", "blackbox")
    assert f"Port in use: {own.port('redis')} (redis) by" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert _processes_of(own) == []


def test_a_server_that_can_not_start_is_reported_with_its_last_words(own: RunningStack) -> None:
    """A broken configuration ends in the component's name and the end of its log; what did start keeps running."""
    own.need("blackbox")
    data = own.declared.paths.data / "redis"
    data.mkdir(exist_ok=True)
    (data / "appendonlydir").write_text("not a folder")
    with pytest.raises(StackError, match=r"Redis keeps ending right after its start(.|\n)*appendonlydir") as caught:
        own.need("redis")
    assert "What did start keeps running" in str(caught.value)
    assert own.is_ready("blackbox")


def test_the_command_detaches(own: RunningStack) -> None:
    """`nobet up` returns although the servers go on, even when its output is a pipe that is read to the end."""
    command = [sys.executable, "-m", "app.cli", "up", "redis", "--mode", "native"]
    done = subprocess.run(command, env=own.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert own.is_ready("redis")
    report = subprocess.run(
        [sys.executable, "-m", "app.cli", "status", "--json", "--mode", "native"],
        env=own.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert report.returncode == 1  # not everything that is required runs
    redis = next(item for item in json.loads(report.stdout)["components"] if item["name"] == "redis")
    assert redis["state"] == "healthy"
    assert redis["memory_bytes"] > 0


def test_secrets_are_in_no_command_line_of_a_running_server(own: RunningStack) -> None:
    """The process list of a running stack shows no password."""
    own.need("postgres_exporter", "redis_exporter")
    lines = "\n".join(_command_lines(own))
    assert "redis-server" in lines
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "METRICS_TOKEN"):
        assert own.secret(name) not in lines


def test_a_killed_supervisor_does_not_leave_the_ports_taken(own: RunningStack) -> None:
    """After kill -9 of the supervisor its programs run on without one; the next start ends them and goes on as usual."""
    own.need("redis", "blackbox")
    old = own.pid("redis")
    supervisor = psutil.Process(int((own.declared.paths.run / "supervisord.pid").read_text()))
    supervisor.kill()
    wait_until("the supervisor's end", lambda: not supervisor.is_running())
    assert psutil.pid_exists(old)
    _changed, lines = _up(own, "redis", "blackbox")
    assert "Ended 2 processes that a killed supervisor had left behind." in lines
    assert own.is_ready("redis")
    assert own.pid("redis") != old


def test_one_component_can_be_stopped_alone(own: RunningStack) -> None:
    """`nobet down redis` stops redis for good and nothing else; a name that nothing runs under is named; `up` brings it back."""
    own.need("redis", "node_exporter")
    stop_components(own.declared, ["redis"])
    assert not own.is_ready("redis")
    assert own.is_ready("node_exporter")
    with pytest.raises(StackError, match=r"Nothing runs as redis, nonsense\. Running are: node_exporter"):
        stop_components(own.declared, ["redis", "nonsense"])
    changed, _ = _up(own, "redis")
    assert changed
    assert own.is_ready("redis")
