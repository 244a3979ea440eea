"""`nobet doctor` and `nobet status` on a stack of containers: content while all is well, and for each break its cause and its fix."""

import json
from typing import Any, Final

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
        raise AssertionError([check for check in report.get("checks", []) if check["level"] == "problem"]) from error
    told = {check["name"]: check["what"] for check in report["checks"]}
    assert "was found in Elasticsearch" in told["logs"]
    assert "was found in Jaeger" in told["traces"] or "No traces here" in told["traces"]
    assert "found again" in told["errors"]
    assert "containers run and are healthy" in told["processes"]
    assert "answer through Grafana" in told["data sources"]
    assert "through the gateway to the app" in told["gateway"]


def test_breaks_are_told_with_fixes_that_help(stack: Containers) -> None:
    """Doctor and status see what happened to each container; the commands that the doctor names bring them back."""
    fixes = []
    try:
        for command, service, _, fix in BREAKS:
            stack.compose(*command.split(), service)
            fixes.append(fix)
        assert stack.try_nobet("status", "--mode", "compose").returncode == 1
        problems = [check for check in _doctor(stack, "processes")["checks"] if check["level"] == "problem"]
        assert sorted((problem["what"], problem["fix"]) for problem in problems) == sorted((what, fix) for _, _, what, fix in BREAKS)
    finally:
        for fix in fixes:
            stack.compose(*fix.removeprefix("docker compose ").split())
    wait_until("the containers being healthy", lambda: all(stack.is_healthy(service) for _, service, _, _ in BREAKS), SECONDS, pause=1)
    assert stack.try_nobet("status", "--mode", "compose").returncode == 0
    assert _doctor(stack, "processes")["healthy"]


def _doctor(stack: Containers, *checks: str) -> dict[str, Any]:
    done = stack.try_nobet("doctor", "--mode", "compose", "--json", *checks)
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) is found["healthy"]
    return found
