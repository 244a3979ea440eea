"""`nobet doctor` on the running stack: content while all is well, and for each break its cause and its fix."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest
from pydantic import SecretStr

from app.stack.doctor.model import Level, Scene
from app.stack.doctor.walk import all_checks
from app.stack.mode import Mode
from app.stack.paths import CHECKOUT
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

SECONDS = 180
BROKEN_SECONDS = 6.0
"""How long something is waited for that is not to come."""

NOTICED_SECONDS = 30
"""A scrape that fails, until Prometheus tells of it."""

Found = tuple[str, str, str]
"""What, cause, fix."""


def nobet_doctor(world: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as people run it."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "doctor", "--mode", "native", *arguments],
        env={**world.environment, "COLUMNS": "400"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def look(world: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Found]]:
    """The problems that one check finds now."""

    def looked(name: str) -> list[Found]:
        monkeypatch.setattr("app.stack.doctor.errand.PATIENCE_SECONDS", BROKEN_SECONDS)
        check = next(check for check in all_checks() if check.name == name)
        findings = check.look(Scene(world.declared, Mode.NATIVE))
        assert findings, "a check that says nothing"
        return [(found.what, found.cause, found.fix) for found in findings if found.level is Level.PROBLEM]

    return looked


@contextmanager
def stopped(world: RunningStack, component: str) -> Iterator[None]:
    """Without the component as long as the block lasts."""
    world.stop(component)
    try:
        yield
    finally:
        world.start(component)


@contextmanager
def frozen(world: RunningStack, component: str) -> Iterator[None]:
    """The component takes connections and answers nothing as long as the block lasts."""
    process = psutil.Process(world.pid(component))
    members = [process, *process.children(recursive=True)]
    for member in members:
        member.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for member in members:
            member.send_signal(signal.SIGCONT)


def only(found: list[Found]) -> Found:
    """The one problem."""
    assert len(found) == 1, found
    assert all(found[0]), "a problem has a cause and a fix"
    return found[0]


def test_a_stack_in_order_has_no_problem(world: RunningStack) -> None:
    """Every path is walked to its end: record, trace, mail and watchdog are found where people look for them."""

    def content() -> dict[str, Any] | None:
        done = nobet_doctor(world, "--json")
        report[:] = [json.loads(done.stdout)]
        assert (done.returncode == 0) is report[0]["healthy"]
        return report[0] if report[0]["healthy"] else None

    report: list[dict[str, Any]] = []
    try:
        found = wait_until("a doctor without complaints", content, SECONDS, pause=3)
    except AssertionError as error:
        raise AssertionError([check for check in report[0]["checks"] if check["level"] == "problem"]) from error
    assert found
    told = {check["name"]: check["what"] for check in found["checks"]}
    assert "was found in Elasticsearch" in told["logs"]
    assert "was found in Jaeger" in told["traces"] or "No traces here" in told["traces"]
    assert "read there" in told["inbox"]
    assert "on-call service; it came" in told["watchdog"]
    assert re.match(r"\d+ rules in \d+ groups", told["rules"])


def test_a_break_is_told_to_people_and_to_scripts(world: RunningStack) -> None:
    """Exit code 1, the cause and the command that helps; the same in JSON. No secret is in either."""
    with stopped(world, "shipper"):
        done, as_json = nobet_doctor(world, "processes"), nobet_doctor(world, "processes", "logs", "--json")
    assert done.returncode == as_json.returncode == 1, done.stderr
    assert "✗ processes" in done.stdout
    assert "Shipper is stopped." in done.stdout
    assert "fix    nobet up shipper" in done.stdout
    problems = [check for check in json.loads(as_json.stdout)["checks"] if check["level"] == "problem"]
    assert [(check["name"], check["fix"]) for check in problems] == [(name, "nobet up shipper") for name in ("processes", "logs")]
    assert problems[1]["what"] == "The shipper does not answer; records wait in the spool."
    secrets = [world.secret(name) for name in ("METRICS_TOKEN", "ELASTICSEARCH_ADMIN_PASSWORD", "ONCALL_TOKEN", "POSTGRES_PASSWORD")]
    assert not any(secret in done.stdout + as_json.stdout for secret in secrets)


def test_the_app_stopped(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """Nothing listens: start it."""
    with stopped(world, "app"):
        what, cause, fix = only(look("logs"))
        assert "No request could be sent" in what
        assert "Nothing listens at" in cause
        assert fix == "nobet up app"
        assert only(look("traces"))[2] == "nobet up app"
        if world.is_ready("gateway"):
            what, cause, fix = only(look("gateway"))
            assert "answers 502" in what
            assert "can't reach the app" in cause
            assert "nobet up app" in fix


def test_elasticsearch_hangs(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """It takes connections and is silent: another fix than for one that is stopped."""
    with frozen(world, "elasticsearch"):
        what, cause, fix = only(look("logs"))
    assert "records wait in the spool" in what
    assert "did not answer in" in cause
    assert fix == "nobet down elasticsearch && nobet up elasticsearch"


def test_an_index_takes_no_records(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """The index is named, and the request that undoes it."""
    settings = f"{world.url('elasticsearch')}/logs-nobet-*/_settings"
    with httpx.Client(auth=world.sign_in(), timeout=30) as admin:
        admin.put(settings, json={"index.blocks.write": True}).raise_for_status()
        try:
            what, cause, fix = only(look("logs"))
        finally:
            admin.put(settings, json={"index.blocks.write": None}).raise_for_status()
    assert "takes no records" in what
    assert "Somebody set it" in cause
    assert '{"index.blocks.write": null}' in fix


def test_a_trace_store_that_is_stopped_and_one_that_hangs(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """Stopped: start it. Frozen: start it anew."""
    if not world.is_ready("jaeger"):
        pytest.skip("no Jaeger on this machine")
    with frozen(world, "jaeger"):
        what, cause, fix = only(look("traces"))
        assert "Jaeger does not answer" in what
        assert "did not answer in" in cause
        assert fix == "nobet down jaeger && nobet up jaeger"
    with stopped(world, "jaeger"):
        assert only(look("traces"))[2] == "nobet up jaeger"


def test_a_target_that_is_stopped_and_a_token_that_is_refused(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """Down for two reasons, told apart by what Prometheus got as an answer."""
    with stopped(world, "node_exporter"):
        told = lambda: [fix for _, cause, fix in look("targets") if "node_exporter does not run" in cause]  # noqa: E731
        assert wait_until("the target being down", told, NOTICED_SECONDS) == ["nobet up node_exporter"]
    wait_until("it being up again", lambda: not look("targets"), NOTICED_SECONDS)
    token = world.declared.paths.etc / "prometheus" / "secrets" / "metrics_token"
    right = token.read_text()
    token.write_text("wrong")
    try:
        told = lambda: [fix for _, cause, fix in look("targets") if "METRICS_TOKEN changed" in cause]  # noqa: E731
        assert "make up" in wait_until("refused scrapes", told, NOTICED_SECONDS)[0]
    finally:
        token.write_text(right)
    wait_until("all up again", lambda: not look("targets"), NOTICED_SECONDS)


def test_rules_that_are_gone_and_a_configuration_with_a_mistake(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """Prometheus keeps what it has and goes on: only the doctor says that the new file was refused."""
    folder = world.declared.paths.etc / "prometheus" / "rules"
    reload = f"{world.url('prometheus')}/-/reload"
    broken = folder / "broken.yml"
    broken.write_text("groups: [{name: broken, rules: [{alert: Broken, expr: 'sum('}]}]\n")
    try:
        assert httpx.post(reload, timeout=60).status_code == 500
        found = wait_until("the mistake being told", lambda: look("rules"), NOTICED_SECONDS)
        assert any("old configuration" in what and "has a mistake" in cause for what, cause, _ in found)
    finally:
        broken.unlink()
        assert httpx.post(reload, timeout=60).is_success
    wait_until("the rules being well", lambda: not look("rules"), NOTICED_SECONDS)
    away = folder.rename(folder.with_name("rules.away"))
    try:
        assert httpx.post(reload, timeout=60).is_success
        what, cause, _ = only(look("rules"))
        assert "no alert will ever come" in what
        assert "rules/ is empty" in cause
        assert "does not fire" in only(look("watchdog"))[0]
    finally:
        away.rename(folder)
        assert httpx.post(reload, timeout=60).is_success
    wait_until("the watchdog firing again", lambda: not look("watchdog"), SECONDS)


@pytest.mark.parametrize(
    ("component", "told"),
    [
        ("inbox", {"inbox": "Mails about alerts go nowhere"}),
        ("oncall", {"watchdog": "Nobody is called"}),
        ("alertmanager", {"alerting": "Alertmanager does not answer", "watchdog": "Alerts end in Prometheus"}),
        ("prometheus", {"targets": "Prometheus does not answer", "watchdog": "No alert can come"}),
    ],
)
def test_a_part_of_the_alert_chain_is_stopped(
    world: RunningStack, look: Callable[[str], list[Found]], component: str, told: dict[str, str]
) -> None:
    """Each link that is missing is named, with the command that brings it back."""
    if component == "oncall":
        wait_until("the chain being whole", lambda: not look("watchdog"), SECONDS)
    with stopped(world, component):
        for check, words in told.items():
            what, cause, fix = only(look(check))
            assert words in what
            assert "othing listens" in cause
            assert fix == f"nobet up {component}"


def test_the_gateway_stopped(world: RunningStack, look: Callable[[str], list[Found]]) -> None:
    """Silence is its own fault, and a request goes through when it runs."""
    if not world.is_ready("gateway"):
        pytest.skip("no nginx on this machine")
    wait_until("the gateway being in order", lambda: not look("gateway"), NOTICED_SECONDS)
    with stopped(world, "gateway"):
        assert only(look("gateway"))[2] == "nobet up gateway"


def test_an_error_tracker_that_cannot_be_reached(
    world: RunningStack, look: Callable[[str], list[Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack's errors go to a server elsewhere here: it answers, and where it does not, it is named without the key."""
    wait_until("the error tracker being in order", lambda: not look("errors"), NOTICED_SECONDS)
    settings = world.declared.settings
    elsewhere = settings.model_copy(update={"sentry_dsn": SecretStr("http://a-secret-key@127.0.0.1:9/1")})
    monkeypatch.setattr(type(world.declared), "secret", lambda _, name: getattr(elsewhere, name.lower()).get_secret_value())
    what, cause, fix = only(look("errors"))
    assert "can't be reached" in what
    assert "a-secret-key" not in what + cause + fix
