"""Watches what the service depends on: all checks at once, each with a time limit, none able to hide another."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from app.core import context, metrics
from app.core.alerting import Alerting
from app.core.config import Settings
from app.core.health_checks import Check, built_in_checks
from app.core.logger import get_logger
from app.core.masking import mask_text
from app.core.records import printable

OK: Final = "ok"
UNAVAILABLE: Final = "error: unavailable"
"""What outsiders see of a failed check: nothing about hosts, users or drivers."""

DEPENDENCY_DOWN: Final = "DependencyDown"
"""Named as the rule about `dependency_up`, so that Alertmanager takes both for one."""

_PATIENCE_FACTOR: Final = 5
"""As the rules: one minute for what the service needs, five for the rest."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one check."""

    name: str
    error: str | None
    seconds: float
    required: bool

    @property
    def passed(self) -> bool:
        """Whether the dependency works."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Outcome of all checks."""

    results: tuple[CheckResult, ...]
    taken: float = field(default_factory=time.monotonic)

    @property
    def healthy(self) -> bool:
        """Whether everything that the service can't do without works."""
        return all(result.passed for result in self.results if result.required)

    def as_body(self, *, with_details: bool) -> dict[str, object]:
        """The JSON answer; exception texts only for callers who may see them."""
        checks = {
            result.name: OK if result.passed else f"error: {result.error}" if with_details else UNAVAILABLE for result in self.results
        }
        return {"status": "ok" if self.healthy else "degraded", "checks": checks}


class HealthMonitor:
    """Runs the registered checks when asked, at most once in the cache time, and on its own in an interval."""

    def __init__(self, settings: Settings, alerts: Alerting | None = None) -> None:
        """With `alerts`, a dependency that fails for ALERT_HEALTH_SECONDS is an alert of the process itself."""
        self._settings = settings
        self._alerts = alerts
        self._failing_since: dict[str, float] = {}
        self._checks: dict[str, Check] = {}
        self._states: dict[str, bool] = {}
        self._report: HealthReport | None = None
        self._lock = asyncio.Lock()
        for name, check in built_in_checks(settings).items():
            self.register(name, check)

    def register(self, name: str, check: Check) -> None:
        """Add a check; HEALTH_REQUIRED decides whether its failure makes the service unhealthy."""
        self._checks[name] = check

    async def report(self) -> HealthReport:
        """The state of all dependencies, not older than the cache time. Never raises."""
        async with self._lock:
            last = self._report
            if last is None or time.monotonic() - last.taken > self._settings.health_cache_seconds:
                results = await asyncio.gather(*(self._run(name, check) for name, check in self._checks.items()))
                last = self._report = HealthReport(tuple(results))
                for result in results:
                    self._note(result)
                    self._alert(result)
            return last

    async def run(self) -> None:
        """Check in the interval of the settings, for ever; each round is a run of its own in the log."""
        while True:
            with context.run("health_monitor"):
                report = await self.report()
                log.debug("Health checked", event="health.checked", outcome="ok" if report.healthy else "degraded")
            await asyncio.sleep(self._settings.health_interval_seconds)

    async def _run(self, name: str, check: Check) -> CheckResult:
        started = time.perf_counter()
        error = None
        try:
            async with asyncio.timeout(self._settings.health_timeout_seconds):
                await check()
        except TimeoutError:
            error = f"no answer within {self._settings.health_timeout_seconds:g} s"
        except Exception as problem:  # noqa: BLE001 (a check may fail in any way; the others go on)
            error = f"{type(problem).__name__}: {mask_text(printable(problem))}".splitlines()[0]
        return CheckResult(name, error, time.perf_counter() - started, name in self._settings.health_required)

    def _alert(self, result: CheckResult) -> None:
        """The same alert that the rule makes, for when nobody scrapes. What the service can do without has five times as long."""
        hold = self._settings.alert_health_seconds * (1 if result.required else _PATIENCE_FACTOR)
        if self._alerts is None or not hold:
            return
        if result.passed:
            if self._failing_since.pop(result.name, None) is not None:
                self._alerts.end(DEPENDENCY_DOWN, dependency=result.name)
            return
        since = self._failing_since.setdefault(result.name, time.monotonic())
        if time.monotonic() - since >= hold:
            self._alerts.fire(
                DEPENDENCY_DOWN,
                severity="critical" if result.required else "warning",
                summary="A dependency that the service needs is down." if result.required else "A dependency of the service is down.",
                description=f"The check {result.name} fails, as the service itself sees it.",
                dependency=result.name,
            )

    def _note(self, result: CheckResult) -> None:
        """Metrics, and one record when the state is another than before."""
        metrics.gauge("dependency_up").labels(result.name).set(1 if result.passed else 0)
        metrics.gauge("dependency_check_duration_seconds").labels(result.name).set(result.seconds)
        before = self._states.get(result.name)
        self._states[result.name] = result.passed
        if result.passed != before and not (before is None and result.passed):
            say = log.info if result.passed else log.warning
            outcome = "recovered" if result.passed else "failed"
            metrics.counter("dependency_changes_total").labels(result.name, outcome).inc()
            say(
                f"Dependency {result.name} {outcome}",
                event="health.changed",
                component=result.name,
                outcome=outcome,
                error_message=result.error,
            )
