"""Rendered configuration."""

from pathlib import Path

import pytest
import yaml

from app.core.config import load_settings
from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.files import mirror, write_private
from app.stack.paths import CHECKOUT
from app.stack.render import interval_seconds, render_alertmanager, render_prometheus, smarthost
from app.stack.render_servers import render_all
from app.stack.stack import Stack
from app.stack.targets import native_targets
from tests.unit.stack.conftest import OpenStack


def _jobs() -> set[str]:
    config = yaml.safe_load((CHECKOUT / "prometheus" / "prometheus.yml").read_text())
    return {job["job_name"] for job in config["scrape_configs"]}


def test_committed_targets_are_current() -> None:
    """`prometheus/targets/native` is what the table says (python -m app.stack.targets writes it)."""
    folder = CHECKOUT / "prometheus" / "targets" / "native"
    assert {file.name: file.read_text() for file in folder.glob("*.yml")} == native_targets()


def test_every_job_has_targets_with_service_and_env() -> None:
    """Each job of prometheus.yml finds a file with at least one target, labelled with service and env."""
    files = native_targets(env="staging")
    assert {name.removesuffix(".yml") for name in files} == _jobs()
    for text in files.values():
        groups = yaml.safe_load(text)
        assert groups
        for group in groups:
            assert group["targets"]
            assert group["labels"]["env"] == "staging"
            assert group["labels"]["service"]


def test_what_does_not_run_is_no_target() -> None:
    """A machine without Grafana and Jaeger scrapes and probes neither, so no alert fires for what nobody wanted."""
    files = native_targets(COMPONENTS.keys() - {"grafana", "jaeger"}, offset=100)
    assert yaml.safe_load(files["grafana.yml"]) == []
    assert yaml.safe_load(files["jaeger.yml"]) == []
    assert {group["labels"]["service"] for group in yaml.safe_load(files["blackbox-http.yml"])} == {
        "app", "voice", "elasticsearch", "prometheus", "alertmanager", "inbox",
    }  # fmt: skip
    assert yaml.safe_load(files["app.yml"])[0]["targets"] == ["127.0.0.1:8100"]


def test_prometheus_gets_interval_token_and_rules(open_at: OpenStack, tmp_path: Path) -> None:
    """The rendering follows the settings: interval, shorter time-out, token beside it, rules for that interval."""
    settings = open_at(PROMETHEUS_SCRAPE_INTERVAL="2s", PROMETHEUS_RULE_SCALE="0.1").settings
    render_prometheus(settings, tmp_path / "out")
    config = yaml.safe_load((tmp_path / "out" / "prometheus.yml").read_text())
    assert config["global"] | {"scrape_interval": "2s", "evaluation_interval": "2s", "scrape_timeout": "2s"} == config["global"]
    token = tmp_path / "out" / "secrets" / "metrics_token"
    assert token.read_text() == settings.metrics_token.get_secret_value()
    assert token.stat().st_mode & 0o777 == 0o600
    committed = {file.name for file in (CHECKOUT / "prometheus" / "rules").glob("*.yml")}
    assert {file.name for file in (tmp_path / "out" / "rules").glob("*.yml")} == committed
    assert (tmp_path / "out" / "rules" / "api.yml").read_text() != (CHECKOUT / "prometheus" / "rules" / "api.yml").read_text()


def test_usual_settings_use_the_committed_rules(stack: Stack, tmp_path: Path) -> None:
    """What is in the repository is what runs."""
    render_prometheus(stack.settings, tmp_path / "out")
    for file in (CHECKOUT / "prometheus" / "rules").glob("*.yml"):
        assert (tmp_path / "out" / "rules" / file.name).read_text() == file.read_text()


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15.0), ("500ms", 0.5), ("1m", 60.0)])
def test_intervals_are_understood(text: str, seconds: float) -> None:
    """The forms that people write."""
    assert interval_seconds(text) == seconds


@pytest.mark.parametrize("text", ["15", "0s", "fast", "-1s"])
def test_a_wrong_interval_is_one_sentence(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(StackError, match=r"PROMETHEUS_SCRAPE_INTERVAL is .*such as 15s"):
        interval_seconds(text)


def test_alertmanager_mails_to_the_inbox_without_sign_in() -> None:
    """In development mails go to the stack's own inbox, in the clear and without a password."""
    settings = load_settings()
    config = yaml.safe_load(render_alertmanager(settings, smarthost=smarthost(settings, "127.0.0.1:2025"), secrets="/x"))
    assert config["global"]["smtp_smarthost"] == "127.0.0.1:2025"
    assert config["global"]["smtp_require_tls"] is False
    assert "smtp_auth_username" not in config["global"]


def test_alertmanager_signs_in_with_a_password_file_and_tls() -> None:
    """A real mail server gets user and password file, over TLS only; the password itself is not in the configuration."""
    settings = load_settings(smtp_server="mail.example.org", smtp_port=587, smtp_username="o'hara", smtp_password="a-real-password-1")
    text = render_alertmanager(settings, smarthost=smarthost(settings, "unused:1"), secrets="/run/secrets")
    found = yaml.safe_load(text)["global"]
    assert found["smtp_smarthost"] == "mail.example.org:587"
    assert found["smtp_auth_username"] == "o'hara"
    assert found["smtp_auth_password_file"] == "/run/secrets/smtp_password"
    assert found["smtp_require_tls"] is True
    assert "a-real-password-1" not in text


def test_a_quick_stack_tells_quickly_too() -> None:
    """Alertmanager gathers alerts for a tenth of the time where the rules hold a tenth; the heartbeat goes at once; repeats stay."""
    usual, quick = (
        yaml.safe_load(render_alertmanager(load_settings(prometheus_rule_scale=scale), smarthost="unused:1", secrets="/x"))["route"]
        for scale in (1, 0.1)
    )
    assert (usual["group_wait"], usual["group_interval"]) == ("30s", "5m")
    assert (quick["group_wait"], quick["group_interval"], quick["repeat_interval"]) == ("3s", "30s", usual["repeat_interval"])
    assert quick["routes"][0]["group_wait"] == "0s"


def test_everything_is_rendered_for_its_owner_only_and_only_once(stack: Stack) -> None:
    """All configuration is there, readable by nobody else, and a second rendering touches no file."""
    render_all(stack, COMPONENTS)
    files = [path for path in stack.paths.etc.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    for component in COMPONENTS.values():
        assert all((stack.paths.etc / name.split(".d")[0]).exists() for name in component.config if "jvm.options.d" not in name)
    before = {path: path.stat().st_mtime_ns for path in files}
    render_all(stack, COMPONENTS)
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_what_is_being_built_is_announced_later(stack: Stack) -> None:
    """Prometheus does not hear of Jaeger before it is built; the targets lie ready."""
    render_all(stack, COMPONENTS, later=["jaeger"])
    assert yaml.safe_load((stack.paths.etc / "prometheus" / "targets" / "jaeger.yml").read_text()) == []
    assert yaml.safe_load((stack.paths.etc / "prometheus-later" / "jaeger.yml").read_text())


def test_a_missing_source_file_is_named(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout that lacks a file says which."""
    monkeypatch.setattr("app.stack.render.CHECKOUT", tmp_path)
    with pytest.raises(StackError, match=r"The checkout lacks .*blackbox\.yml"):
        render_all(stack, COMPONENTS)


def test_an_unchanged_file_keeps_its_time_and_a_loose_mode_is_tightened(tmp_path: Path) -> None:
    """Writing the same again changes nothing but a mode that was too open."""
    file = tmp_path / "a"
    assert write_private(file, "x") is True
    file.chmod(0o644)
    assert write_private(file, "x") is False
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_mirror_forgets_what_its_source_forgot(tmp_path: Path) -> None:
    """A rule file that was removed from the repository does not stay in force."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("a.yml", "b.yml"):
        (source / name).write_text(name)
    mirror(source, target, "*.yml")
    (source / "a.yml").unlink()
    mirror(source, target, "*.yml")
    assert [file.name for file in target.iterdir()] == ["b.yml"]
