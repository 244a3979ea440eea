"""All checks in the order in which causes come before effects."""

from collections.abc import Iterable, Iterator
from typing import Final

from app.stack.doctor.alerts import alert_checks
from app.stack.doctor.components import component_checks
from app.stack.doctor.door import gateway
from app.stack.doctor.errand import Errand, send
from app.stack.doctor.findings import problem
from app.stack.doctor.logs import log_path
from app.stack.doctor.machine import machine_checks
from app.stack.doctor.metrics import metric_checks
from app.stack.doctor.model import Check, Finding, Level, Scene
from app.stack.doctor.running import runs
from app.stack.doctor.sources import data_sources
from app.stack.doctor.traces import trace_path
from app.stack.doctor.tracker import error_path
from app.stack.errors import StackError

LAST_BEFORE_PATHS: Final = "processes"
_ORDER: Final = {Level.PROBLEM: 0, Level.NOTE: 1, Level.OK: 2}


def all_checks() -> tuple[Check, ...]:
    """The machine, the processes, and every path; one request serves all paths that need one. For one look at one stack."""
    sent: list[Errand] = []

    def errand(scene: Scene) -> Errand:
        if not sent:
            sent.append(send(scene))
        return sent[0]

    return (
        *machine_checks(),
        *component_checks(),
        Check("logs", "paths", lambda scene: log_path(scene, errand(scene))),
        Check("traces", "paths", lambda scene: trace_path(scene, errand(scene))),
        Check("errors", "paths", error_path),
        Check("data sources", "paths", data_sources),
        Check("gateway", "paths", gateway),
        *metric_checks(),
        *alert_checks(),
    )


def look(checks: Iterable[Check], scene: Scene) -> Iterator[tuple[Check, list[Finding]]]:
    """Each check with its findings, the worst first. Where nothing of the stack runs, no path is walked: that is said once."""
    for check in checks:
        try:
            yield check, sorted(check.look(scene), key=lambda finding: _ORDER[finding.level])
            if check.name == LAST_BEFORE_PATHS and not runs(scene):
                return
        except StackError as error:
            yield check, problem(f"{check.name} could not be looked at.", str(error), "Correct that, then `nobet doctor` again.")
