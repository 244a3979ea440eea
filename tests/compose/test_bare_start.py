"""From nothing to a healthy stack of containers, and what each container may do."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.compose.containers import ONE_SHOT, PROFILES, Containers
from tests.config.files import compose

SERVICES: dict[str, dict[str, Any]] = {
    name: service for name, service in compose()["services"].items() if set(service.get("profiles", PROFILES)) <= PROFILES
}
EACH = pytest.mark.parametrize("service", SERVICES)
STAYING = pytest.mark.parametrize("service", [name for name in SERVICES if name not in ONE_SHOT])

Found = dict[str, dict[str, Any]]

WRITABLE_ROOT = {"elasticsearch"}
MEMORY_LIMIT = 6 * 1024**3
MEMORY_IDLE = 3.5 * 1024**3


@pytest.fixture(scope="module")
def found(stack: Containers) -> Found:
    """What `docker inspect` says right after the start."""
    return stack.inspect()


@pytest.mark.req("DEP-01")
@EACH
def test_every_service_gets_healthy(found: Found, service: str) -> None:
    """After `make up` each container of each profile runs and passes its health check; the steps of the start have ended well."""
    state = found[service]["State"]
    if service in ONE_SHOT:
        assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    else:
        assert (state["Status"], state["Health"]["Status"]) == ("running", "healthy")
    assert not state["OOMKilled"]


def test_nothing_restarted_on_the_way(found: Found) -> None:
    """Each service waits for what it needs; none falls over and is caught by its restart policy."""
    assert {name: item["RestartCount"] for name, item in found.items() if item["RestartCount"]} == {}


def test_status_tells_the_same(stack: Containers) -> None:
    """`nobet status` finds every service healthy and exits with 0."""
    printed = stack.nobet("status", "--mode", "compose")
    for service in SERVICES:
        assert re.search(rf"^{service} .*\b(healthy|exited)", printed, re.MULTILINE), service


@pytest.mark.req("ACC-07", "ACC-09")
@STAYING
def test_a_running_process_has_no_right_that_it_does_not_need(found: Found, service: str) -> None:
    """What the kernel says of it: not root, no capability, no way to gain one."""
    pid = found[service]["State"]["Pid"]
    status = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE))
    assert "0" not in status["Uid"].split()
    assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0
    )
    assert status["NoNewPrivs"] == "1"


@EACH
def test_a_container_is_bounded(found: Found, service: str) -> None:
    """Memory, processes and log files have limits, and the root file system cannot be changed where the image allows it."""
    host = found[service]["HostConfig"]
    assert 0 < host["Memory"] <= 1536 * 1024**2
    assert 0 < host["PidsLimit"] <= 4096
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["ReadonlyRootfs"] is (service not in WRITABLE_ROOT)
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]


@pytest.mark.parametrize("service", [name for name in SERVICES if name not in ONE_SHOT | WRITABLE_ROOT])
def test_the_root_file_system_refuses_a_write(found: Found, service: str) -> None:
    """Not even the owner of the machine can leave something in it."""
    pid = found[service]["State"]["Pid"]
    with pytest.raises(OSError, match="Read-only"):
        Path(f"/proc/{pid}/root/left-behind").write_text("x", encoding="utf-8")


def test_memory_fits_a_small_machine(stack: Containers, found: Found) -> None:
    """All limits together are below 6 GiB, and at rest the stack takes less than 3.5 GiB."""
    assert sum(item["HostConfig"]["Memory"] for name, item in found.items() if name not in ONE_SHOT) < MEMORY_LIMIT
    used = stack.engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *(found[name]["Id"] for name in found))
    assert sum(_bytes(line.partition("/")[0].strip()) for line in used.splitlines()) < MEMORY_IDLE


@pytest.mark.req("ACC-06", "ACC-07", "CFG-04")
def test_no_secret_can_be_seen_from_outside(stack: Containers, found: Found) -> None:
    """Neither `docker inspect` nor a process list nor the environment of a process shows a generated secret."""
    seen = str(found)
    for name, item in found.items():
        if pid := item["State"]["Pid"]:
            seen += Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
            if name not in BY_ENVIRONMENT:
                seen += Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
    names = [line.partition("=")[0] for line in (stack.folder / ".env").read_text(encoding="utf-8").splitlines() if "=" in line]
    assert len(names) > 10
    assert [name for name in names if len(stack.secret(name)) > 8 and stack.secret(name) in seen] == []


BY_ENVIRONMENT = {"redis-exporter", "elasticsearch-exporter", "grafana"}
"""Programs that take a password from their environment only: a shell inside of the container reads the file for them."""


@pytest.mark.req("ACC-02", "ACC-03", "ACC-09")
def test_ports_open_on_loopback_only(stack: Containers, found: Found) -> None:
    """No container but the gateway listens on an address that another machine can reach."""
    bound = {
        name: {port["HostIp"] for ports in item["NetworkSettings"]["Ports"].values() for port in ports or []}
        for name, item in found.items()
    }
    assert bound.pop("gateway") == {stack.outside}
    assert {address for addresses in bound.values() for address in addresses} == {"127.0.0.1"}


def test_the_steps_of_the_start_can_be_repeated(stack: Containers) -> None:
    """Migration and set-up of Elasticsearch find their work done and end well; a second `up` replaces no container."""
    before = {name: item["Id"] for name, item in stack.inspect().items()}
    for service in sorted(ONE_SHOT):
        stack.compose("run", "--rm", "--no-deps", service)
    stack.up()
    assert {name: item["Id"] for name, item in stack.inspect().items()} == before


def _bytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?i?B)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1e3, "KB": 1e3}[unit]
