"""Prometheus' configuration: valid in both ways to run, and scraping what is there."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.core.config import load_settings
from app.core.ports import LOOPBACK, PORTS
from app.stack.components.metrics import PROMETHEUS
from app.stack.render import render_prometheus
from app.stack.targets import native_targets
from tests.config.files import compose, load, run
from tests.support.processes import CHECKOUT

SOURCE = CHECKOUT / "prometheus"
TARGETS = SOURCE / "targets"
OURS = ["app", "voice", "shipper", "oncall", "cleanup"]
JOBS = [
    *OURS,
    *("prometheus", "alertmanager", "node", "postgres", "redis", "elasticsearch", "jaeger", "grafana", "blackbox", "blackbox-http"),
]


@pytest.mark.req("HTM-11", "ACC-01")
@pytest.mark.parametrize("way", ["compose", "native"])
def test_the_configuration_is_valid_with_its_targets_and_rules(promtool: Path, tmp_path: Path, way: str) -> None:
    """What is put together for each way to run passes promtool with all lints fatal, rules and token file included."""
    shutil.copy(SOURCE / "prometheus.yml", tmp_path)
    shutil.copytree(SOURCE / "rules", tmp_path / "rules")
    shutil.copytree(TARGETS / way, tmp_path / "targets")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "metrics_token").write_text("token", encoding="utf-8")
    said = run(promtool, "check", "config", "--lint=all", "--lint-fatal", tmp_path / "prometheus.yml")
    assert f"{len(list((SOURCE / 'rules').glob('*.yml')))} rule files found" in said


def test_what_the_runner_renders_is_valid(promtool: Path, tmp_path: Path) -> None:
    """The native rendering, with another interval and other ports, passes promtool."""
    render_prometheus(load_settings(prometheus_scrape_interval="2s", stack_port_offset=500, metrics_token="a" * 24), tmp_path)
    run(promtool, "check", "config", tmp_path / "prometheus.yml")


@pytest.mark.req("HTM-11")
def test_jobs_and_interval_are_as_declared() -> None:
    """Every 15 seconds, each job from a file of its name."""
    config = load(SOURCE / "prometheus.yml")
    assert config["global"]["scrape_interval"] == "15s"
    assert [job["job_name"] for job in config["scrape_configs"]] == JOBS
    assert all(job["file_sd_configs"] == [{"files": [f"targets/{job['job_name']}.yml"]}] for job in config["scrape_configs"])


@pytest.mark.req("ACC-01", "UPT-04")
def test_our_own_metrics_are_scraped_with_the_token() -> None:
    """The jobs whose /metrics is closed bring the bearer token from a file."""
    with_token = {job["job_name"] for job in load(SOURCE / "prometheus.yml")["scrape_configs"] if "authorization" in job}
    assert with_token == set(OURS)


@pytest.mark.parametrize("way", ["compose", "native"])
def test_both_ways_have_the_same_jobs_and_labels(way: str) -> None:
    """Each job has a file; each target says which service it is and in which environment."""
    assert {path.stem for path in (TARGETS / way).glob("*.yml")} == set(JOBS)
    groups = [group for path in (TARGETS / way).glob("*.yml") for group in load(path)]
    assert all({"service", "env"} <= set(group["labels"]) for group in groups)
    assert sorted(_facts(group) for group in _probes("compose")) == sorted(_facts(group) for group in _probes("native"))


def test_the_committed_native_targets_are_what_the_runner_makes() -> None:
    """prometheus/targets/native is the rendering without a port offset."""
    assert {path.name: path.read_text(encoding="utf-8") for path in (TARGETS / "native").glob("*.yml")} == native_targets()


def test_native_targets_are_loopback_ports_of_the_table() -> None:
    """No address outside app/core/ports.py."""
    assert {_host_port(address)[0] for address in _addresses("native")} == {LOOPBACK}
    assert {_host_port(address)[1] for address in _addresses("native")} <= set(PORTS.values())


def test_compose_targets_are_services_of_the_compose_file_on_ports_of_the_table() -> None:
    """Prometheus finds every target by the name and port that it has in docker-compose.yml."""
    services = set(compose()["services"]) | {"127.0.0.1"}
    assert {_host_port(address)[0] for address in _addresses("compose")} <= services
    assert {_host_port(address)[1] for address in _addresses("compose")} <= set(PORTS.values())


def test_probes_use_declared_modules() -> None:
    """Every probe names a module of the blackbox exporter's configuration."""
    modules = set(load(CHECKOUT / "docker" / "blackbox" / "blackbox.yml")["modules"])
    assert {group["labels"]["__param_module"] for group in _probes("compose")} == modules


def test_the_prober_accepts_its_configuration(blackbox: Path) -> None:
    """The blackbox exporter itself finds no fault."""
    run(blackbox, "--config.check", f"--config.file={CHECKOUT / 'docker' / 'blackbox' / 'blackbox.yml'}")


def test_both_ways_start_prometheus_with_exemplars_and_reload() -> None:
    """Links from histograms to traces, and reloading without a restart, work in both ways to run."""
    needed = {"--enable-feature=exemplar-storage", "--web.enable-lifecycle"}
    assert needed <= set(PROMETHEUS.arguments)
    assert needed <= set(compose()["services"]["prometheus"]["command"])


def _probes(way: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = load(TARGETS / way / "blackbox-http.yml")
    return groups


def _facts(group: dict[str, Any]) -> tuple[str, str, str]:
    return group["labels"]["service"], group["labels"]["probe"], group["labels"]["__param_module"]


def _addresses(way: str) -> list[str]:
    groups = [group for path in (TARGETS / way).glob("*.yml") for group in load(path)]
    provers = [group["labels"]["__blackbox_address"] for group in groups if "__blackbox_address" in group["labels"]]
    return [address for group in groups for address in group["targets"]] + provers


def _host_port(address: str) -> tuple[str | None, int | None]:
    split = urlsplit(address if "//" in address else f"//{address}")
    return split.hostname, split.port
