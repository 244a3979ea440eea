"""The alerts of a process itself: at Alertmanager, past it by mail and Slack, once for all workers, and their end."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.core import alerting
from app.core.alerting import LASTS_SECONDS, LINGER_SECONDS, RESEND_SECONDS, Alerting
from app.core.config import Settings, load_settings
from app.core.direct_alerts import STALE_SECONDS, UNREACHABLE_SECONDS
from app.core.health_monitor import CheckResult, HealthMonitor
from tests.config.smtp_inbox import SmtpInbox
from tests.support.processes import free_port
from tests.support.receiver import Asked, Receiver, Reply
from tests.support.slack_catcher import SlackCatcher
from tests.support.waiting import wait_until
from tests.unit.oncall.conftest import Clock

pytestmark = pytest.mark.req("ALD-04")


class FakeAlertmanager(Receiver):
    """Keeps what it is told; a real one takes part in tests/integration/oncall."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 200
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """Keep it, unless it is out of order."""
        if self.status == 200:
            self.told += json.loads(asked.body)
        return Reply(self.status)


@pytest.fixture
def manager() -> Iterator[FakeAlertmanager]:
    """Alertmanager."""
    with FakeAlertmanager() as running:
        yield running


@pytest.fixture
def inbox() -> Iterator[SmtpInbox]:
    """The mail server."""
    with SmtpInbox() as running:
        yield running


@pytest.fixture
def slack() -> Iterator[SlackCatcher]:
    """The chat."""
    with SlackCatcher() as running:
        yield running


@pytest.fixture
def told_directly(tmp_path: Path, inbox: SmtpInbox, slack: SlackCatcher) -> Settings:
    """Nobody is where Alertmanager should be."""
    return settings_of(
        tmp_path,
        alertmanager_url=f"http://127.0.0.1:{free_port()}",
        smtp_server="127.0.0.1",
        smtp_port=inbox.port,
        slack_webhook_url=slack.url,
    )


def settings_of(folder: Path, **more: Any) -> Settings:
    """With a spool and nothing of the tester's own."""
    return load_settings(_env_file=None, environment="test", spool_dir=folder, log_stdout=False, **more)


def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread: the test makes the rounds."""
    monkeypatch.setattr(Alerting, "_work", lambda _: None)


@pytest.fixture(autouse=True)
def rounds_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here no thread is started."""
    quiet(monkeypatch)


def fire(alerts: Alerting, dependency: str = "database") -> None:
    """As the health monitor does."""
    alerts.fire("DependencyDown", severity="critical", summary="It is down.", dependency=dependency)


def moment(text: str) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.req("ALR-18")
def test_alertmanager_hears_of_it_again_and_again_and_then_of_its_end(tmp_path: Path, manager: FakeAlertmanager) -> None:
    """Labels as a rule would make them, so that both are one; told before it would run out; the end lingers and comes once."""
    clock = Clock()
    alerts = Alerting(settings_of(tmp_path, alertmanager_url=f"http://{manager.address}"), "app", clock)
    fire(alerts)
    fire(alerts)
    alerts.deliver()
    (first,) = manager.told
    assert first["labels"] == {
        "alertname": "DependencyDown", "service": "app", "env": "test", "severity": "critical", "dependency": "database"
    }  # fmt: skip
    assert first["annotations"]["runbook_url"].endswith("runbook.md#dependencydown")
    assert (moment(first["startsAt"]), moment(first["endsAt"])) == (clock.now, clock.now + LASTS_SECONDS)
    clock.forward(RESEND_SECONDS - 1)
    alerts.deliver()
    assert len(manager.told) == 1
    clock.forward(1)
    alerts.deliver()
    assert len(manager.told) == 2
    assert RESEND_SECONDS * 2 < LASTS_SECONDS
    alerts.end("DependencyDown", dependency="database")
    for _ in range(3):
        clock.forward(RESEND_SECONDS)
        alerts.deliver()
    assert len(manager.told) == 3
    assert moment(manager.told[-1]["endsAt"]) == clock.now - 3 * RESEND_SECONDS + LINGER_SECONDS


@pytest.mark.req("ALD-01", "ALD-02", "ALD-08", "ALD-12", "ALD-14")
def test_past_an_unreachable_alertmanager_people_hear_of_it_once_and_of_its_end(
    told_directly: Settings, inbox: SmtpInbox, slack: SlackCatcher
) -> None:
    """Not before it had time for a restart; once by mail and once in Slack, from two workers; then that it is over."""
    clock = Clock()
    workers = [Alerting(told_directly, "app", clock) for _ in range(2)]
    for worker in workers:
        fire(worker)
        worker.deliver()
    assert inbox.messages == []
    for _ in range(20):
        clock.forward(UNREACHABLE_SECONDS)
        for worker in workers:
            worker.deliver()
    (mail,) = inbox.messages
    assert mail["subject"] == "[FIRING] DependencyDown on app (test), told by the service itself"
    for wanted in ("It is down.", "dependency: database", "severity: critical", "2026-11-22 03:00:00 UTC", "runbook.md#dependencydown"):
        assert wanted in mail.get_content()
    assert len(slack.about("[FIRING] DependencyDown")) == 1
    for worker in workers:
        worker.end("DependencyDown", dependency="database")
        worker.deliver()
    assert [str(mail["subject"])[:10] for mail in inbox.messages] == ["[FIRING] D", "[RESOLVED]"]
    assert len(slack.messages) == 2
    fire(workers[0])
    workers[0].deliver()
    clock.forward(UNREACHABLE_SECONDS)
    workers[0].deliver()
    assert len(inbox.messages) == 3, "the next time is news again"


def test_many_alerts_at_once_are_one_mail(told_directly: Settings, inbox: SmtpInbox) -> None:
    """Everything breaks together: one message that names all."""
    clock = Clock()
    alerts = Alerting(told_directly, "app", clock)
    for number in range(30):
        fire(alerts, f"d{number}")
    alerts.deliver()
    clock.forward(UNREACHABLE_SECONDS)
    alerts.deliver()
    (mail,) = inbox.messages
    assert "30 alerts" in mail["subject"]
    assert "dependency: d29" in mail.get_content()


def test_a_process_that_died_does_not_keep_the_next_one_silent(told_directly: Settings, inbox: SmtpInbox) -> None:
    """Its mark is not renewed any more; whoever sees the fault after that tells people."""
    clock = Clock()
    dead, alive = (Alerting(told_directly, "app", clock) for _ in range(2))
    for alerts in (dead, alive):
        fire(alerts)
        alerts.deliver()
        clock.forward(UNREACHABLE_SECONDS)
        alerts.deliver()
        clock.forward(STALE_SECONDS + 1)
    assert len(inbox.messages) == 2


@pytest.mark.req("ALD-11", "ALD-13", "ALD-15")
def test_one_way_that_fails_does_not_stop_the_other_and_is_tried_again(
    told_directly: Settings, slack: SlackCatcher, inbox: SmtpInbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """No mail server: Slack still hears of it. Neither: the next round tries again. No address of Slack's in the output."""
    clock = Clock()
    broken = told_directly.model_copy(update={"smtp_port": free_port()})
    alerts = Alerting(broken, "app", clock)
    slack.status = 500
    fire(alerts)
    alerts.deliver()
    clock.forward(UNREACHABLE_SECONDS)
    alerts.deliver()
    assert slack.messages == []
    slack.status = 200
    clock.forward(UNREACHABLE_SECONDS)
    alerts.deliver()
    assert len(slack.messages) == 1
    assert inbox.messages == []
    assert "secret-path" not in "".join(capfd.readouterr())


@pytest.mark.req("ALR-18")
def test_the_health_monitor_raises_and_ends_it(tmp_path: Path, manager: FakeAlertmanager) -> None:
    """Only what fails for as long as the settings say: the needed one at once here, the other after five times as long."""
    chosen = settings_of(tmp_path, alertmanager_url=f"http://{manager.address}", alert_health_seconds=0.001)
    alerts = Alerting(chosen, "app")
    monitor = HealthMonitor(chosen, alerts)

    def look(error: str | None) -> None:
        monitor._alert(CheckResult("database", error, 0.0, required=True))
        alerts.deliver()

    def told_of_it() -> bool:
        look("refused")
        return bool(manager.told)

    wait_until("Alertmanager hears of it", told_of_it)
    (told,) = manager.told
    assert told["labels"]["dependency"] == "database"
    look(None)
    assert len(manager.told) == 2


def test_nothing_is_sent_while_all_is_well(tmp_path: Path, manager: FakeAlertmanager) -> None:
    """An end without a beginning is no news, and a brief failure neither."""
    chosen = settings_of(tmp_path, alertmanager_url=f"http://{manager.address}", alert_health_seconds=60)
    alerts = Alerting(chosen, "app")
    monitor = HealthMonitor(chosen, alerts)
    for error in (None, "refused", None):
        monitor._alert(CheckResult("database", error, 0.0, required=True))
        alerts.deliver()
    assert manager.told == []


def test_the_thread_delivers_by_itself_and_ends_with_the_process(
    tmp_path: Path, manager: FakeAlertmanager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fires waits for nobody."""
    monkeypatch.undo()
    alerts = Alerting(settings_of(tmp_path, alertmanager_url=f"http://{manager.address}"), "app")
    fire(alerts)
    wait_until("Alertmanager hears of it", lambda: manager.told, 60)
    assert len(manager.told) == 1
    alerts.close()
    assert alerts._thread is not None
    assert not alerts._thread.is_alive()
    assert alerting.RESEND_SECONDS < alerting.LASTS_SECONDS
