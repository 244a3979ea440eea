"""`nobet doctor` and `nobet status` on a stack of containers: content while all is well, and for each break its cause and its fix."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.compose.containers import Containers
from tests.support.waiting import wait_until

SECONDS: Final = 600
"""A minute on an idle machine: Prometheus scrapes every 15 s, and a watchdog comes every two minutes."""

BREAKS: Final = [
    ("stop", "shipper", "The container shipper is stopped.", "docker compose up -d shipper"),
    ("rm --stop --force", "blackbox-exporter", "The container blackbox-exporter is missing.", "docker compose up -d blackbox-exporter"),
    ("pause", "jaeger", "The container jaeger is paused.", "docker compose unpause jaeger"),
]


def test_a_stack_in_order_has_no_problem(stack: Containers) -> None:
    """Every path is walked to its end through containers: the record, the trace and the error event are found where people look."""
    report: dict[str, Any] = {}

    def healthy() -> bool:
        report.update(_doctor(stack))
        return bool(report["healthy"])

    try:
        wait_until("a doctor without complaints", healthy, SECONDS, pause=3)
    except AssertionError as error:
        raise AssertionError([check for check in report["checks"] if check["level"] == "problem"]) from error
    told = {check["name"]: check["what"] for check in report["checks"]}
    assert "was found in Elasticsearch" in told["logs"]
    assert "was found in Jaeger" in told["traces"] or "No traces here" in told["traces"]
    assert "found again" in told["errors"]
    assert "containers run and are healthy" in told["processes"]
    assert "answer through Grafana" in told["data sources"]
    assert "through the gateway to the app" in told["gateway"]


@pytest.mark.parametrize(("command", "service", "what", "fix"), BREAKS, ids=[broken[1] for broken in BREAKS])
def test_a_break_is_told_with_its_fix_which_helps(stack: Containers, command: str, service: str, what: str, fix: str) -> None:
    """Doctor and status see what happened to a container; the command that the doctor names brings it back."""
    with broken(stack, command, service):
        assert stack.try_nobet("status", "--mode", "compose").returncode == 1
        problems = [check for check in _doctor(stack, "processes")["checks"] if check["level"] == "problem"]
        assert [(problem["what"], problem["fix"]) for problem in problems] == [(what, fix)]
    wait_until("the container being healthy", lambda: stack.is_healthy(service), SECONDS, pause=1)
    assert _doctor(stack, "processes")["healthy"]


@contextmanager
def broken(stack: Containers, command: str, service: str) -> Iterator[None]:
    """What Compose does to a service, and after the block what the doctor advises."""
    stack.compose(*command.split(), service)
    try:
        yield
    finally:
        (fix,) = (fix for _, broken, _, fix in BREAKS if broken == service)
        stack.compose(*fix.removeprefix("docker compose ").split())


def _doctor(stack: Containers, *checks: str) -> dict[str, Any]:
    done = stack.try_nobet("doctor", "--mode", "compose", "--json", *checks)
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) is found["healthy"]
    return found
