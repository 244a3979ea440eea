"""The machine: each shortage is told with its cause and its fix, and plenty is not."""

import re
import shutil
import socket
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.core.ports import LOOPBACK
from app.stack.doctor import machine
from app.stack.doctor.model import Level, Scene
from app.stack.listeners import free_offset
from app.stack.mode import Mode
from tests.unit.stack.conftest import OpenStack
from tests.unit.stack.doctor.conftest import Servers, only, problems

GIB = 1024**3


def _memory(monkeypatch: pytest.MonkeyPatch, available: float) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=8 * GIB, available=int(available * GIB)))


def test_a_machine_that_does_too_much_else(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note before all others: hangs that other rows find may be none, and restarts would make it worse."""
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(psutil, "getloadavg", lambda: (94.0, 1.0, 1.0))
    found = machine.load(scene)[0]
    assert found.level is Level.NOTE
    assert "94 on 2 cores" in found.what
    assert "A restart makes it worse." in found.fix
    monkeypatch.setattr(psutil, "getloadavg", lambda: (2.0, 94.0, 94.0))
    assert machine.load(scene)[0].level is Level.OK


def test_memory_before_the_start(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole stack has to fit into what is available."""
    _memory(monkeypatch, 4)
    assert machine.memory(scene)[0].level is Level.OK
    _memory(monkeypatch, 2)
    what, cause, fix = only(machine.memory(scene))
    assert what == "2.0 of 8.0 GiB are available."
    assert "takes up to 3 GiB" in cause
    assert "nobet up" in fix


def test_memory_while_it_runs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is needed then; but the last megabytes are a warning of what the kernel does next."""
    monkeypatch.setattr(machine, "runs", lambda _: frozenset({"app"}))
    _memory(monkeypatch, 1)
    assert machine.memory(scene)[0].level is Level.OK
    _memory(monkeypatch, 0.1)
    assert "the kernel ends the largest process" in only(machine.memory(scene))[1]


@pytest.mark.parametrize(("free", "effect"), [(1.5, "gives no new index"), (0.3, "read-only")])
def test_a_disk_that_fills(scene: Scene, monkeypatch: pytest.MonkeyPatch, free: float, effect: str) -> None:
    """What Elasticsearch does at its marks is the cause that matters."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free * GIB)))
    what, cause, fix = only(machine.disk(scene))
    assert f"{free} GiB are free" in what
    assert effect in cause
    assert "nobet cleanup" in fix


def test_a_disk_with_room(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to say but how much."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50 * GIB))
    assert machine.disk(scene)[0].level is Level.OK


def test_max_map_count(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Too low for a cluster is a note with the command: one Elasticsearch runs with it."""
    file = tmp_path / "max_map_count"
    monkeypatch.setattr(machine, "MAP_COUNT_FILE", file)
    file.write_text("65530\n")
    found = machine.map_count(scene)[0]
    assert found.level is Level.NOTE
    assert found.fix.startswith("sysctl -w vm.max_map_count=262144")
    file.write_text("262144\n")
    assert machine.map_count(scene)[0].level is Level.OK


def test_a_port_that_somebody_else_has(open_at: OpenStack) -> None:
    """The port, its component and the process that holds it are named."""
    scene = Scene(open_at(STACK_PORT_OFFSET=str(free_offset())), Mode.NATIVE)
    assert machine.ports(scene)[0].level is Level.OK
    with socket.create_server((LOOPBACK, scene.stack.port("redis"))):
        what, cause, fix = only(machine.ports(scene))
    assert what == f"Port {scene.stack.port('redis')} of redis is in use."
    assert "pid" in cause
    assert "STACK_PORT_OFFSET" in fix


def test_a_package_of_another_version(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requirements that changed after the environment was made are found, with both versions."""
    assert not problems(machine.versions(scene))
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "httpx" else real(name))
    what, cause, fix = only(machine.versions(scene))
    assert "httpx is 0.1, pinned is " in what
    assert "requirements/" in cause
    assert "make venv" in fix


def test_a_required_program_that_is_missing(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java no Elasticsearch: a problem. Without Grafana: a note."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = machine.versions(scene)
    assert any("Elasticsearch can't run here" in what for what, _, _ in problems(found))
    assert any("Grafana is left out" in finding.what for finding in found if finding.level is Level.NOTE)


def _prometheus(servers: Servers, now: float, synced: str) -> None:
    def answer(value: Any) -> tuple[int, Any]:
        return 200, {"data": {"result": value}}

    servers.answers["/api/v1/query?query=time()"] = answer([now, str(now)])
    servers.answers["/api/v1/query?query=min(node_timex_sync_status)"] = answer([{"value": [now, synced]}])


def test_a_clock_that_agrees(scene: Scene, servers: Servers) -> None:
    """With Prometheus and with itself."""
    _prometheus(servers, time.time(), "1")
    assert machine.clock(scene)[0].level is Level.OK


def test_a_clock_that_nothing_keeps_right(scene: Scene, servers: Servers) -> None:
    """Right now, and perhaps not tomorrow: a note."""
    _prometheus(servers, time.time(), "0")
    assert machine.clock(scene)[0].level is Level.NOTE


def test_a_clock_that_differs_from_the_stack(scene: Scene, servers: Servers) -> None:
    """Said with the difference."""
    _prometheus(servers, time.time() - 300, "1")
    what, _, fix = only(machine.clock(scene))
    assert re.search(r"differ by 3\d\d s", what)
    assert "timedatectl" in fix


def test_a_clock_that_went_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before this code was written it can't be."""
    monkeypatch.setattr("app.stack.doctor.machine.time.time", lambda: 1_000_000.0)
    assert "behind the files" in only(machine.clock(scene))[0]
