"""What must keep coming: the watchdog from Prometheus through Alertmanager. Its absence is an incident of its own.

The same clock pings an address outside of this machine as long as the watchdog
comes, so that the death of the whole machine is noticed elsewhere.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import httpx
import sqlalchemy as sa

from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger
from app.oncall.intake import Intake
from app.oncall.payload import Alert
from app.oncall.store import Store, rows
from app.oncall.tables import BEATS

WATCHDOG: Final = "Watchdog"
MISSING: Final = "WatchdogMissing"
PING_SECONDS: Final = 60.0
PROMETHEUS_SECONDS: Final = 3.0
SETTLE_SECONDS: Final = 600.0
"""So long Prometheus must have been watching again before what went out of sight counts as over: rules need time to fire again."""

RUNBOOK: Final = "https://github.com/nobet-stack/nobet/blob/main/docs/runbook.md#watchdog"

log = get_logger(__name__)


class Watch:
    """Knows when the watchdog came last."""

    def __init__(self, settings: Settings, store: Store, intake: Intake, clock: Callable[[], float]) -> None:
        self._settings: Final = settings
        self._store: Final = store
        self._intake: Final = intake
        self._clock: Final = clock
        self._started: Final = clock()
        self._pinged = 0.0
        self._answering_since: float | None = None
        self._http: Final = httpx.AsyncClient(timeout=10, trust_env=False)

    async def beat(self) -> None:
        """The watchdog came."""
        async with self._store.transaction() as connection:
            await connection.execute(self._store.put(BEATS, "name").values(name=WATCHDOG, at=self._clock()))

    async def look(self) -> None:
        """Open or end the incident about its absence, and ping outside while all is well."""
        now = self._clock()
        async with self._store.transaction() as connection:
            found = await rows(connection, sa.select(BEATS.c.name, BEATS.c.at))
        beats = {row["name"]: row["at"] for row in found}
        age = now - beats.get(WATCHDOG, self._started)
        metrics.gauge("oncall_watchdog_age_seconds").set(age)
        limit = self._settings.oncall_watchdog_seconds
        if not limit:
            return
        since = beats.get(MISSING, 0.0)
        if age > limit and not since:
            # Counted from the last beat, so that every replica tells the same alert.
            await self._tell(now - age + limit, now, missing=True)
        elif age <= limit and since:
            await self._tell(since, now, missing=False)
        if age <= limit:
            await self._ping(now)

    async def settle(self) -> None:
        """Note whether Prometheus answers, and after a while of answers end what had gone out of sight."""
        if not await self.prometheus_answers():
            self._answering_since = None
            return
        now = self._clock()
        self._answering_since = now if self._answering_since is None else self._answering_since
        if now - self._answering_since >= SETTLE_SECONDS:
            await self._intake.settle(now)

    async def prometheus_answers(self) -> bool:
        """Whether Prometheus can be asked. While it can't, an alert that ends has only been forgotten."""
        try:
            answer = await self._http.get(f"{self._settings.prometheus_url}/-/ready", timeout=PROMETHEUS_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _tell(self, since: float, now: float, *, missing: bool) -> None:
        alert = Alert.model_validate(
            {
                "status": "firing" if missing else "resolved",
                "labels": {"alertname": MISSING, "service": "oncall", "env": self._settings.environment, "severity": "critical"},
                "annotations": {
                    "summary": "The alerting chain is broken.",
                    "description": f"No watchdog came for {self._settings.oncall_watchdog_seconds:g} s: Prometheus, Alertmanager or "
                    "the way from them to the on-call service is broken. No alert can be trusted to arrive.",
                    "runbook_url": RUNBOOK,
                },
                "startsAt": datetime.fromtimestamp(since, UTC).isoformat(),
                "endsAt": datetime.fromtimestamp(now, UTC).isoformat(),
            }
        )
        await self._intake.take([alert], now)
        async with self._store.transaction() as connection:
            await connection.execute(self._store.put(BEATS, "name").values(name=MISSING, at=since if missing else 0.0))
        say = log.critical if missing else log.info
        say(
            "The watchdog is missing" if missing else "The watchdog is back",
            event="oncall.watchdog",
            outcome="missing" if missing else "back",
        )

    async def _ping(self, now: float) -> None:
        url = self._settings.oncall_heartbeat_url.get_secret_value()
        if not url or now - self._pinged < PING_SECONDS:
            return
        self._pinged = now
        try:
            (await self._http.get(url)).raise_for_status()
            metrics.counter("oncall_heartbeats_total").labels(outcome="sent").inc()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            metrics.counter("oncall_heartbeats_total").labels(outcome="failed").inc()
            log.warning("The heartbeat could not be sent", event="oncall.heartbeat_failed", reason=type(error).__name__)
