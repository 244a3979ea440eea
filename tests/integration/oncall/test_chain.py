"""FAULTS 26, with a real Prometheus and a real Alertmanager: whichever stops, somebody is paged, and nothing is taken for over."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from app.core.config import load_settings
from app.stack.components.metrics import ALERTMANAGER, PROMETHEUS
from app.stack.render import render_alertmanager
from tests.config.conftest import program
from tests.integration.oncall.conftest import MakeReplicas
from tests.support.oncall import TOKEN, Phone, escalation
from tests.support.processes import CHECKOUT, free_port
from tests.support.waiting import wait_until

PATIENCE = 90


class Server:
    """Prometheus or Alertmanager, which can be stopped and started again."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._log = folder / f"{Path(command[0]).name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it is ready."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, cwd=self._log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(f"{self._command[0]} is ready", lambda: httpx.get(f"{self.url}/-/ready").status_code == 200, PATIENCE)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None


@contextmanager
def alertmanager(folder: Path, oncall: str) -> Iterator[Server]:
    """With the rendered configuration, hurried."""
    port = free_port()
    folder.mkdir()
    (folder / "oncall_token").write_text(TOKEN)
    config = render_alertmanager(load_settings(_env_file=None), smarthost="127.0.0.1:9", secrets=str(folder), oncall=oncall)
    config = re.sub(r"(group_wait|group_interval|repeat_interval): \S+", r"\1: 1s", config)
    (folder / "alertmanager.yml").write_text(config)
    shutil.copytree(CHECKOUT / "alertmanager" / "templates", folder / "templates")
    command = [str(program(ALERTMANAGER, "alertmanager", "prometheus-alertmanager")), f"--config.file={folder / 'alertmanager.yml'}"]
    command += [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    yield from _running(Server(command, folder, port))


@contextmanager
def prometheus(folder: Path, alerts_to: str, port: int) -> Iterator[Server]:
    """With the watchdog and one critical alert that always fires."""
    folder.mkdir()
    where = {"service": "app", "env": "test"}
    rules = [
        {"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none", **where}},
        {"alert": "PaymentsDown", "expr": "vector(1)", "labels": {"severity": "critical", **where}, "annotations": {"summary": "Down."}},
    ]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    config = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to.removeprefix("http://")]}]}]},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [str(program(PROMETHEUS, "prometheus")), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"]
    yield from _running(Server(command, folder, port))


def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.req("ALR-17", "ALD-12")
def test_whichever_of_the_chain_stops_somebody_is_paged_and_nothing_counts_as_over(replicas: MakeReplicas, tmp_path: Path) -> None:
    """Prometheus stops: the watchdog's absence pages, the firing alert stays open though Alertmanager forgot it. Then Alertmanager."""
    prometheus_port = free_port()
    with Phone() as phone:
        team = replicas(escalation([phone.contact()]), ONCALL_WATCHDOG_SECONDS="8", PROMETHEUS_URL=f"http://127.0.0.1:{prometheus_port}")
        replica = team.new().wait()

        def messages(name: str, kind: str) -> int:
            return sum(told.kind == kind and told.what == f"/ {name}" for told in list(phone.told))

        def timeline(name: str) -> list[str]:
            (found,) = [incident for incident in replica.incidents() if incident["alertname"] == name]
            return [line["what"] for line in replica.incident(found["id"])["timeline"]]

        with (
            alertmanager(tmp_path / "am", replica.url) as manager,
            prometheus(tmp_path / "prom", manager.url, prometheus_port) as source,
        ):
            wait_until("the page", lambda: messages("PaymentsDown", "page"), PATIENCE)
            wait_until(
                "the watchdog is there", lambda: messages("WatchdogMissing", "page") == messages("WatchdogMissing", "resolved"), PATIENCE
            )
            before = messages("WatchdogMissing", "page")
            source.stop()
            wait_until("the missing watchdog pages", lambda: messages("WatchdogMissing", "page") > before, PATIENCE)
            wait_until("Alertmanager forgets the alert", lambda: "out of sight" in timeline("PaymentsDown"), PATIENCE)
            assert messages("PaymentsDown", "resolved") == 0
            assert "resolved" not in timeline("PaymentsDown")
            source.start()
            wait_until(
                "the watchdog is back",
                lambda: before < messages("WatchdogMissing", "page") == messages("WatchdogMissing", "resolved"),
                PATIENCE,
            )
            before = messages("WatchdogMissing", "page")
            manager.stop()
            wait_until("a dead Alertmanager pages", lambda: messages("WatchdogMissing", "page") > before, PATIENCE)
            assert "resolved" not in timeline("PaymentsDown")
