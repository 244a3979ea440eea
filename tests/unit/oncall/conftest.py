"""The on-call service in the test's own process: SQLite, a clock that the test moves, channels that keep what they are given."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.config import Settings, load_settings
from app.oncall.actions import Actions
from app.oncall.delivery import Deliverer
from app.oncall.escalation import Escalator
from app.oncall.intake import Intake
from app.oncall.links import Links
from app.oncall.messages import Message
from app.oncall.overview import Overview
from app.oncall.payload import Alert
from app.oncall.policy import Policy, parse_policy
from app.oncall.store import Store

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC).timestamp()

POLICY: dict[str, Any] = {
    "people": {
        "ayse": {"name": "Ayşe", "contacts": ["email:ayse@example.com", "ntfy:https://ntfy.example.com/ayse"]},
        "can": {"name": "Can", "contacts": ["email:can@example.com"]},
    },
    "escalations": {
        "page": {
            "levels": [{"notify": ["person:ayse"], "wait": "15m"}, {"notify": ["person:can", "slack:"], "wait": "15m"}],
            "repeat": "4h",
            "rounds": 2,
        },
        "ticket": {"levels": [{"notify": ["slack:"], "wait": "1d"}], "rounds": 1},
    },
    "routes": [{"match": {"severity": "critical"}, "escalation": "page"}, {"escalation": "ticket"}],
}


class Clock:
    """The time, as the test says."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Now."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Taken:
    """A channel that takes everything, or fails as the test asks."""

    def __init__(self, *, digests: bool = True) -> None:
        self.digests = digests
        self.messages: list[tuple[str, Message]] = []
        self.failure: Exception | None = None
        self.tries = 0

    async def send(self, address: str, message: Message) -> None:
        """Keep it."""
        self.tries += 1
        if self.failure:
            raise self.failure
        self.messages.append((address, message))

    @property
    def subjects(self) -> list[str]:
        """What arrived, a line each."""
        return [message.subject for _, message in self.messages]


@dataclasses.dataclass
class Duty:
    """All parts, and what they did."""

    clock: Clock
    store: Store
    policy: Policy
    intake: Intake
    escalator: Escalator
    deliverer: Deliverer
    actions: Actions
    overview: Overview
    links: Links
    channels: dict[str, Taken]

    async def take(self, *alerts: Alert, sure: bool = True) -> int:
        """A webhook arrives."""
        return await self.intake.take(alerts, self.clock(), ends_are_sure=sure)

    async def tick(self, seconds: float = 0.0) -> None:
        """Time passes, then both clocks come round."""
        self.clock.forward(seconds)
        await self.escalator.run_due()
        await self.deliverer.run_due()

    async def only(self) -> dict[str, Any]:
        """The one incident there is."""
        (found,) = await self.overview.incidents(open_only=False)
        full = await self.overview.incident(found["id"])
        assert full is not None
        return full


def alert(name: str = "ApiDown", *, firing: bool = True, start: float = START, severity: str = "critical", **labels: str) -> Alert:
    """An alert as Alertmanager tells it."""
    described = {"alertname": name, "service": "app", "env": "test", "severity": severity, **labels}
    return Alert.model_validate(
        {
            "status": "firing" if firing else "resolved",
            "labels": described,
            "annotations": {
                "summary": "The API does not answer.",
                "description": "Probes fail.",
                "runbook_url": "https://example.com/runbook#apidown",
                "dashboard_url": "http://127.0.0.1:3000/d/nobet-api?var-service=app",
            },
            "startsAt": datetime.fromtimestamp(start, UTC).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z" if firing else datetime.fromtimestamp(start + 60, UTC).isoformat(),
        }
    )


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


@pytest.fixture
def oncall_settings(tmp_path: Path) -> Settings:
    """Settings of a service over an empty database."""
    return load_settings(
        _env_file=None,
        environment="test",
        log_stdout=False,
        spool_dir=tmp_path / "spool",
        database_url=f"sqlite+aiosqlite:///{tmp_path / 'oncall.db'}",
        oncall_token="t" * 32,
        oncall_password="correct horse battery",
        oncall_link_key="k" * 32,
        oncall_public_url="https://oncall.example.com",
        oncall_watchdog_seconds=0,
    )


@pytest.fixture
async def duty(oncall_settings: Settings) -> AsyncIterator[Duty]:
    """Everything, with a policy of two levels."""
    clock = Clock()
    store = Store(oncall_settings.database_url.get_secret_value())
    await store.migrate()
    policy = parse_policy(POLICY, "test")
    channels = {
        "email": Taken(),
        "slack": Taken(),
        "ntfy": Taken(),
        "pagerduty": Taken(digests=False),
        "webhook": Taken(digests=False),
    }
    links = Links(oncall_settings.oncall_public_url, oncall_settings.oncall_link_key)
    yield Duty(
        clock,
        store,
        policy,
        Intake(store, policy),
        Escalator(store, policy, clock),
        Deliverer(store, channels, links, clock),
        Actions(store, clock),
        Overview(store, policy),
        links,
        channels,
    )
    await store.close()
