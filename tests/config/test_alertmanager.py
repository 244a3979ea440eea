"""Alertmanager's routes, inhibition and mails: the rendered configuration in a real Alertmanager, mails in a real inbox."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from app.core.config import load_settings
from app.stack.render import render_alertmanager, smarthost
from tests.config.files import alerts, run
from tests.config.smtp_inbox import SmtpInbox
from tests.support.processes import CHECKOUT, free_port
from tests.support.slack_catcher import SlackCatcher
from tests.support.waiting import wait_until

RUNBOOK = "https://github.com/nobet-stack/nobet/blob/main/docs/runbook.md#apidown"
DASHBOARD = "http://127.0.0.1:3000/d/nobet-api-performance?var-service=app&var-env=development"
STARTED = datetime.now(UTC) - timedelta(minutes=3, seconds=12)


def _config(folder: Path, inbox: str = "127.0.0.1:1025", secrets: str = "/run/secrets", **settings: Any) -> Path:
    chosen = load_settings(**settings)
    text = render_alertmanager(chosen, smarthost=smarthost(chosen, inbox), secrets=secrets)
    path = folder / "alertmanager.yml"
    path.write_text(text, encoding="utf-8")
    shutil.copytree(CHECKOUT / "alertmanager" / "templates", folder / "templates", dirs_exist_ok=True)
    return path


@pytest.mark.req("ALD-05")
@pytest.mark.parametrize("user", ["", "alerts@example.com", "o'brien"])
def test_the_rendered_configuration_is_valid(amtool: Path, tmp_path: Path, user: str) -> None:
    """Amtool accepts it, with and without sign-in, and with quotes in a name."""
    said = run(amtool, "check-config", _config(tmp_path, smtp_username=user, smtp_server="smtp.example.com", smtp_port=587))
    assert "1 templates" in said


@pytest.mark.req("ALD-01", "ALD-15", "ACC-07")
def test_passwords_stay_in_their_file_and_travel_encrypted(tmp_path: Path) -> None:
    """The configuration names the password's file, not the password, and demands TLS where one signs in."""
    text = _config(tmp_path, smtp_username="alerts", smtp_password="hunter2-hunter2").read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "smtp_auth_password_file: '/run/secrets/smtp_password'" in text
    assert "smtp_require_tls: true" in text


@pytest.mark.req("ALD-02", "ALD-13", "ALD-15", "ACC-07")
def test_slack_is_there_when_it_has_an_address_which_stays_in_its_file(amtool: Path, tmp_path: Path) -> None:
    """The configuration names the file; without an address there is no Slack, and mails are as before."""
    text = _config(tmp_path, slack_webhook_url="https://hooks.example.com/secret-path").read_text(encoding="utf-8")
    assert "secret-path" not in text
    assert "api_url_file: '/run/secrets/slack_webhook_url'" in text
    run(amtool, "check-config", tmp_path / "alertmanager.yml")
    without = _config(tmp_path).read_text(encoding="utf-8")
    assert "slack_configs" not in without
    assert "email_configs" in without


@pytest.mark.req("ALR-14", "ALR-16")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=ApiDown", "severity=critical"], "direct"),
        (["alertname=SlowResponse", "severity=warning"], "direct"),
        (["alertname=TelemetryDropped", "severity=info"], "nobody"),
        (["alertname=Watchdog", "severity=none"], "nobody"),
        (["alertname=Watchdog", "severity=critical"], "nobody"),
        (["alertname=MadeInGrafanaWithoutSeverity"], "direct"),
    ],
)
def test_alerts_go_to_their_receiver(amtool: Path, tmp_path: Path, labels: list[str], receiver: str) -> None:
    """Pages and tickets become mails, information and the heartbeat do not, and nothing unknown is lost."""
    assert run(amtool, "config", "routes", "test", f"--config.file={_config(tmp_path)}", *labels).strip() == receiver


@pytest.mark.req("ALR-16", "ALD-06")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=ApiDown", "severity=critical"], "oncall"),
        (["alertname=SlowResponse", "severity=warning"], "oncall"),
        (["alertname=Watchdog", "severity=none"], "oncall"),
        (["alertname=TelemetryDropped", "severity=info"], "nobody"),
        (["alertname=OncallDown", "severity=critical"], "direct"),
        (["alertname=PageWithoutOncall", "severity=critical"], "direct"),
        (["alertname=OncallDeliveryFailing", "severity=critical"], "direct"),
        (["alertname=AlertmanagerFailedToSend", "severity=critical"], "direct"),
        (["alertname=MadeInGrafanaWithoutSeverity"], "oncall"),
    ],
)
def test_with_an_on_call_service_pages_go_there_and_its_own_troubles_do_not(
    amtool: Path, tmp_path: Path, labels: list[str], receiver: str
) -> None:
    """Everything that people must hear of goes to the service that escalates; what says that it is down goes by mail."""
    chosen = load_settings()
    mail = smarthost(chosen, "127.0.0.1:1025")
    text = render_alertmanager(chosen, smarthost=mail, secrets="/run/secrets", oncall="http://127.0.0.1:8030")
    (tmp_path / "templates").mkdir()
    path = tmp_path / "alertmanager.yml"
    path.write_text(text, encoding="utf-8")
    assert "credentials_file: '/run/secrets/oncall_token'" in text
    assert run(amtool, "config", "routes", "test", f"--config.file={path}", *labels).strip() == receiver


def test_inhibition_names_only_alerts_that_exist(tmp_path: Path) -> None:
    """A renamed alert does not leave a rule behind that silences nothing."""
    names = set(re.findall(r'alertname =~? "?([A-Za-z|]+)"?', _config(tmp_path).read_text(encoding="utf-8")))
    assert {name for joined in names for name in joined.split("|")} <= {alert["alert"] for alert in alerts()}


def test_inhibition_compares_only_labels_that_both_sides_have(tmp_path: Path) -> None:
    """A label that is missing on both sides counts as equal: every alert of a rule carries all that the rule compares."""
    for rule in yaml.safe_load(_config(tmp_path).read_text(encoding="utf-8"))["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            chosen = [alert for alert in alerts() if all(_chosen(alert, matcher) for matcher in rule[side])]
            assert chosen, rule
            for alert in chosen:
                assert set(rule["equal"]) <= _labels(alert), (alert["alert"], rule)


def _chosen(alert: dict[str, Any], matcher: str) -> bool:
    name, text = re.fullmatch(r"(\w+) =~? \"?([^\"]*)\"?", matcher).groups()  # type: ignore[union-attr]
    if name == "alertname":
        return alert["alert"] in text.split("|")
    if name == "slo":
        return "slo:" in alert["expr"]
    # Other labels come with the series, so any of the rule's alerts may have that value.
    return name != "severity" or alert["labels"]["severity"] == text


def _labels(alert: dict[str, Any]) -> set[str]:
    """What the alert's series carry, as its expression says."""
    grouped = re.findall(r"by \(([^)]*)\)", alert["expr"])
    carried = {label.strip() for labels in grouped for label in labels.split(",")} | set(alert["labels"]) | {"env"}
    recorded = set(re.findall(r"\b((?:service|slo)(?:_[a-z]+)?):", alert["expr"]))
    carried |= {part for level in recorded for part in level.split("_")} | ({"service"} if "slo" in recorded else set())
    return carried | ({"service", "instance", "mountpoint", "job"} if not grouped and not recorded else set())


class Watch:
    """A real Alertmanager with the rendered configuration, hurried, that mails to an inbox and writes to a Slack of its own."""

    def __init__(self, program: Path, folder: Path, inbox: SmtpInbox, slack: SlackCatcher) -> None:
        self.inbox = inbox
        self.slack = slack
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        (folder / "slack_webhook_url").write_text(slack.url, encoding="utf-8")
        config = _config(folder, inbox=f"127.0.0.1:{inbox.port}", secrets=str(folder), slack_webhook_url=slack.url)
        text = config.read_text(encoding="utf-8")
        text = re.sub(r"group_wait: \S+", "group_wait: 2s", text)
        config.write_text(re.sub(r"group_interval: \S+", "group_interval: 1s", text), encoding="utf-8")
        self._command = [
            str(program),
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--web.external-url=http://127.0.0.1:9093/",
            "--cluster.listen-address=",
        ]
        self.log = folder / "alertmanager.log"

    def __enter__(self) -> Self:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._folder)
        wait_until("Alertmanager is ready", lambda: httpx.get(f"{self.url}/-/ready").status_code == 200, 30)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def post(self, *posted: dict[str, Any]) -> None:
        """Send alerts as Prometheus would."""
        httpx.post(f"{self.url}/api/v2/alerts", json=posted).raise_for_status()

    def mails(self, subject: str) -> list[EmailMessage]:
        """Mails whose subject has this text."""
        return [mail for mail in self.inbox.messages if subject in mail["subject"]]

    def mail(self, subject: str) -> EmailMessage:
        """The first mail whose subject has this text; waits for it."""
        return wait_until(f"a mail about {subject!r} arrives", lambda: self.mails(subject), 60)[0]

    def silenced_by(self, **labels: str) -> list[str]:
        """Names of the alerts that inhibit this one."""
        known = httpx.get(f"{self.url}/api/v2/alerts").raise_for_status().json()
        names = {alert["fingerprint"]: alert["labels"]["alertname"] for alert in known}
        found = [alert for alert in known if labels.items() <= alert["labels"].items()]
        return sorted({names[mark] for alert in found for mark in alert["status"]["inhibitedBy"]})


@pytest.fixture
def watch(alertmanager: Path, tmp_path: Path) -> Iterator[Watch]:
    """A running Alertmanager with an inbox."""
    with SmtpInbox() as inbox, SlackCatcher() as slack, Watch(alertmanager, tmp_path, inbox, slack) as running:
        yield running


def _alert(
    alertname: str, severity: str = "critical", *, service: str = "app", env: str = "development", ended: bool = False, **labels: str
) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "labels": {"alertname": alertname, "severity": severity, "service": service, "env": env, **labels},
        "annotations": {
            "summary": "The service does not answer.",
            "description": f"No probe of {service} has had an answer; nobody can use it.",
            "runbook_url": RUNBOOK,
            "dashboard_url": DASHBOARD,
        },
        "startsAt": STARTED.isoformat(),
    }
    return alert | ({"endsAt": (STARTED + timedelta(minutes=3, seconds=12)).isoformat()} if ended else {})


def _text(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


@pytest.mark.req("ALD-01", "ALD-05", "ALD-12", "ALD-14")
def test_a_page_arrives_as_a_mail_and_its_end_too(watch: Watch) -> None:
    """The subject says how bad, what and where; both forms of the body have value, time and links; the end says how long it lasted."""
    watch.post(_alert("ApiDown"))
    mail = watch.mail("ApiDown")
    assert mail["subject"] == "[CRITICAL] ApiDown · app (development): The service does not answer."
    assert mail["to"] == "oncall@localhost"
    for kind in ("plain", "html"):
        text = _text(mail, kind)
        for wanted in ("CRITICAL", "The service does not answer.", "No probe of app", STARTED.strftime("%Y-%m-%d %H:%M:%S UTC"), RUNBOOK):
            assert wanted in text, kind
    assert DASHBOARD in _text(mail, "plain")
    assert DASHBOARD.replace("&", "&amp;") in _text(mail, "html")

    watch.post(_alert("ApiDown", ended=True))
    end = watch.mail("[RESOLVED")
    assert end["subject"] == "[RESOLVED after 3m12s] ApiDown · app (development)"
    assert "It lasted 3m12s" in _text(end, "plain")


@pytest.mark.req("ALD-02", "ALD-12", "ALD-14")
def test_slack_is_told_what_fires_and_when_it_is_over(watch: Watch) -> None:
    """Rule, severity, service, how bad, since when, what to do; then that it is resolved, and after how long."""
    watch.post(_alert("HighTaskFailureRate", "warning", task="reservation"))
    wait_until("a message in Slack", lambda: watch.slack.about("HighTaskFailureRate"), 60)
    (message,) = watch.slack.about("HighTaskFailureRate")
    for wanted in ("[WARNING]", "app (development)", "No probe of app", "task: reservation", STARTED.strftime("%H:%M:%S UTC"), RUNBOOK):
        assert wanted in message
    watch.post(_alert("HighTaskFailureRate", "warning", task="reservation", ended=True))
    wait_until("the end in Slack", lambda: watch.slack.about("[RESOLVED after 3m12s] HighTaskFailureRate"), 60)


@pytest.mark.req("ALD-11", "ALD-15")
def test_a_slack_that_refuses_does_not_stop_the_mail(watch: Watch) -> None:
    """The other channel is used; the address, which is a secret, is not in the log."""
    watch.slack.status = 404
    watch.post(_alert("ApiDown"))
    watch.mail("ApiDown")
    assert watch.slack.messages == []
    wait_until("the failure being logged", lambda: "slack" in watch.log.read_text(encoding="utf-8"), 60)
    assert "secret-path" not in watch.log.read_text(encoding="utf-8")


def test_turkish_letters_survive_in_subject_and_body(watch: Watch) -> None:
    """What is written in Turkish is read in Turkish."""
    watch.post(_alert("SlowResponse", "warning", service="ses-çözücü", env="üretim", endpoint="/öneri/{kullanıcı}"))
    mail = watch.mail("SlowResponse")
    assert "ses-çözücü (üretim)" in mail["subject"]
    assert "/öneri/{kullanıcı}" in _text(mail, "plain")
    assert "No probe of ses-çözücü" in _text(mail, "html")


@pytest.mark.req("ALD-08")
def test_many_alerts_of_one_kind_are_one_mail(watch: Watch) -> None:
    """A hundred slow endpoints of one service make one mail that counts them."""
    # Young alerts wait for company; one that is older than the waiting time is sent at once, and a busy machine lets them age.
    born = {"startsAt": (datetime.now(UTC) + timedelta(seconds=60)).isoformat()}
    watch.post(*(_alert("SlowResponse", "warning", endpoint=f"/{number}") | born for number in range(100)))
    mail = watch.mail("SlowResponse")
    assert "[WARNING ×100]" in mail["subject"]
    watch.post(_alert("ApiDown"))
    watch.mail("ApiDown")  # a later group was sent, so a second mail of the first would be here too
    assert len(watch.mails("SlowResponse")) == 1


def test_heartbeat_and_information_are_not_mailed(watch: Watch) -> None:
    """Nobody is woken by what needs no action."""
    watch.post(_alert("Watchdog", "none"), _alert("TelemetryDropped", "info"))
    watch.post(_alert("ApiDown"))
    watch.mail("ApiDown")
    assert len(watch.inbox.messages) == 1


@pytest.mark.parametrize(
    ("cause", "symptom"),
    [
        (_alert("ApiDown"), _alert("EndpointDown", probe="health", instance="a", job="b")),
        (_alert("ApiDown"), _alert("TargetDown", "warning", job="app", instance="a")),
        (_alert("ApiDown"), _alert("MetricsAbsent")),
        (_alert("HighErrorRate"), _alert("ErrorRateElevated", "warning")),
        (_alert("ResponseTimeCritical", endpoint="/feed"), _alert("SlowResponse", "warning", endpoint="/feed")),
        (_alert("PostgresDown", service="postgres"), _alert("DependencyDown", dependency="database")),
        (_alert("DependencyDown", dependency="database"), _alert("HighErrorRate")),
        (_alert("ElasticsearchDown", service="elasticsearch"), _alert("DependencyDown", "warning", dependency="elasticsearch")),
        (_alert("ElasticsearchDown", service="elasticsearch"), _alert("LogShippingStalled", service="shipper")),
        (
            _alert("ElasticsearchDiskHigh", service="elasticsearch", name="n1"),
            _alert("ElasticsearchDiskHigh", "warning", service="elasticsearch", name="n1"),
        ),
        (_alert("HighTurnLatency", "warning"), _alert("VoiceStageSlow", "warning", stage="llm")),
        (_alert("HighTaskFailureRate", "warning", task="reservation"), _alert("HighTotalTaskFailureRate", "warning")),
        (_alert("DependencyDown", "warning", dependency="voice"), _alert("VoiceStageFailing", "warning", stage="asr")),
        (_alert("ShipperHeld", service="shipper"), _alert("LogShippingStalled", service="shipper")),
        (_alert("ElasticsearchReadOnly", service="shipper"), _alert("LogShippingStalled", service="shipper")),
        (_alert("ElasticsearchDown", service="elasticsearch"), _alert("LogCanaryMissing", service="cleanup")),
        (
            _alert("LogShippingStalled", service="shipper"),
            _alert("LogFreshnessBurnTicket", "warning", service="cleanup", slo="log-freshness"),
        ),
        (_alert("ApiErrorBudgetBurnFast", slo="errors"), _alert("ApiErrorBudgetBurnTicket", "warning", slo="errors")),
        (
            _alert("FilesystemFillingUp", service="node", instance="a", mountpoint="/"),
            _alert("FilesystemFillingUp", "warning", service="node", instance="a", mountpoint="/"),
        ),
        (
            _alert("CertificateExpiring", service="site", instance="https://a/"),
            _alert("CertificateExpiring", "warning", service="site", instance="https://a/"),
        ),
    ],
    ids=lambda alert: "-".join(
        [alert["labels"]["alertname"], *(alert["labels"].get(name, "") for name in ("dependency", "probe", "job"))]
    ).strip("-"),
)
def test_a_cause_silences_its_symptom(watch: Watch, cause: dict[str, Any], symptom: dict[str, Any]) -> None:
    """One outage is one page."""
    watch.post(cause, symptom)
    labels = symptom["labels"]
    wait_until("the symptom is inhibited", lambda: watch.silenced_by(**labels) == [cause["labels"]["alertname"]])


def test_a_cause_silences_nothing_else(watch: Watch) -> None:
    """Other services, other environments, other endpoints, another dependency, and lost records are heard in any case."""
    causes = [
        _alert("ApiDown"),
        _alert("HighErrorRate"),
        _alert("ResponseTimeCritical", endpoint="/feed"),
        _alert("PostgresDown", service="postgres"),
        _alert("ElasticsearchDown", service="elasticsearch"),
        _alert("DependencyDown", env="staging", dependency="database"),
        _alert("ApiErrorBudgetBurnFast", slo="errors"),
        _alert("FilesystemFillingUp", service="node", instance="a", mountpoint="/"),
    ]
    unrelated = [
        _alert("EndpointDown", service="grafana", probe="ready", instance="g", job="b"),
        _alert("MetricsAbsent", env="production"),
        _alert("ErrorRateElevated", "warning", service="voice"),
        _alert("SlowResponse", "warning", service="voice", endpoint="/feed"),
        _alert("DependencyDown", dependency="redis"),
        _alert("LogRecordsDropped", service="shipper", reason="spool_full"),
        _alert("LogShippingStalled", service="shipper", env="production"),
        _alert("EndpointDown", env="staging", probe="live", instance="s", job="b"),
        _alert("ApiLatencyBudgetBurnTicket", "warning", slo="latency"),
        _alert("ApiErrorBudgetBurnTicket", "warning", env="staging", slo="errors"),
        _alert("FilesystemFillingUp", "warning", service="node", instance="a", mountpoint="/data"),
    ]
    watch.post(*causes, *unrelated, _alert("EndpointDown", probe="health", instance="a", job="b"))
    wait_until("inhibition works at all", lambda: watch.silenced_by(alertname="EndpointDown", instance="a"))
    for alert in unrelated:
        assert watch.silenced_by(**alert["labels"]) == [], alert["labels"]
