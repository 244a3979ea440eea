"""The watch itself: targets, Prometheus, Alertmanager, probes, the on-call service, backups."""

import http.server
import json
import ssl
import subprocess
import threading
from typing import Final

from app.core.ports import LOOPBACK
from app.stack.drill.arena import Arena
from app.stack.drill.catalogue.stores import red_index
from app.stack.drill.model import Drill, Expected
from app.stack.errors import StackError

_FAILING_RULE: Final = """\
groups:
  - name: nobet.drill
    rules:
      - record: drill:failing:up
        expr: up{job="prometheus"} * on () up
"""


def _no_targets(arena: Arena) -> None:
    for job in ("app", "shipper", "voice", "cleanup"):
        arena.hands.write(arena.stack.paths.etc / "prometheus" / "targets" / f"{job}.yml", "[]\n")


def _bad_rules(arena: Arena) -> None:
    arena.hands.write(arena.stack.paths.etc / "prometheus" / "rules" / "drill.yml", "groups: none\n", reload="prometheus", mild=True)


def _failing_rule(arena: Arena) -> None:
    arena.hands.write(arena.stack.paths.etc / "prometheus" / "rules" / "drill.yml", _FAILING_RULE, reload="prometheus")


def _small_limit(arena: Arena) -> None:
    path = arena.stack.paths.etc / "prometheus" / "prometheus.yml"
    head, job, rest = path.read_text("utf-8").partition("job_name: voice")
    arena.hands.write(path, head + job + rest.replace("sample_limit: 20000", "sample_limit: 10", 1), reload="prometheus")


def _no_alertmanager(arena: Arena) -> None:
    arena.hands.write(arena.stack.paths.etc / "prometheus" / "targets" / "alertmanager.yml", "[]\n")


def _second_alertmanager(arena: Arena) -> None:
    path = arena.stack.paths.etc / "prometheus" / "targets" / "alertmanager.yml"
    labels = {"service": "alertmanager", "env": arena.stack.settings.environment}
    dead = f"- targets: [{json.dumps(arena.nobody)}]\n  labels: {json.dumps(labels)}\n"
    arena.hands.write(path, path.read_text("utf-8") + dead)


def _bad_alertmanager(arena: Arena) -> None:
    arena.hands.write(arena.stack.paths.etc / "alertmanager" / "alertmanager.yml", "route: none\n", reload="alertmanager", mild=True)


def _oncall(arena: Arena) -> None:
    arena.hands.stop("oncall")
    arena.hands.stop("redis")


def _slack(arena: Arena) -> None:
    arena.refuse_slack()
    red_index(arena)


class _Certificate:
    """An https address of the drill's own, with a certificate that ends soon, is probed."""

    def __init__(self, days: int) -> None:
        self._days: Final = days

    def __call__(self, arena: Arena) -> None:
        _serve(arena, self._days)


def _serve(arena: Arena, days: int) -> None:
    """Serve and have it probed."""
    folder = arena.stack.paths.run
    key, certificate = folder / "drill.key", folder / "drill.pem"
    names = ["-subj", f"/CN={LOOPBACK}", "-addext", f"subjectAltName=IP:{LOOPBACK}", "-days", str(days)]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(made, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StackError(f"openssl made no certificate: {error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), _Plain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    arena.hold().callback(server.server_close)
    arena.hold().callback(server.shutdown)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    arena.hands.reconfigure("blackbox", SSL_CERT_FILE=str(certificate))
    _probe(arena, f"https://{LOOPBACK}:{server.server_address[1]}/")


def _nobody_listens(arena: Arena) -> None:
    _probe(arena, f"http://{arena.nobody}/")


def _probe(arena: Arena, url: str) -> None:
    path = arena.stack.paths.etc / "prometheus" / "targets" / "blackbox-http.yml"
    labels = {
        "service": "drill",
        "env": arena.stack.settings.environment,
        "probe": "public",
        "__param_module": "http_2xx",
        "__blackbox_address": f"{LOOPBACK}:{arena.stack.port('blackbox')}",
    }
    arena.hands.write(path, f"{path.read_text('utf-8')}- targets: [{json.dumps(url)}]\n  labels: {json.dumps(labels)}\n")


class _Plain(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _failing_backup(arena: Arena) -> None:
    arena.hands.back_up_after_undo()
    arena.hands.back_up("/dev/null/backups")


def _rare_backups(arena: Arena) -> None:
    arena.hands.reconfigure("cleanup", BACKUP_EVERY_HOURS="0.005")


META: Final = (
    Drill(
        "exporter",
        "PostgreSQL's exporter is stopped",
        lambda arena: arena.hands.stop("postgres_exporter"),
        (Expected("TargetDown", "warning", labels={"service": "postgres"}),),
        together="calm",
    ),
    Drill(
        "no-targets",
        "Prometheus loses four targets from its configuration",
        _no_targets,
        tuple(
            Expected("MetricsAbsent", severity, labels={"service": service})
            for service, severity in (("app", "critical"), ("shipper", "critical"), ("voice", "warning"), ("cleanup", "warning"))
        ),
    ),
    Drill(
        "endpoint",
        "an address is probed at which nobody listens",
        _nobody_listens,
        (Expected("EndpointDown", "critical", labels={"service": "drill"}),),
        together="calm",
    ),
    Drill(
        "certificate",
        "an address is probed whose certificate is good for ten days",
        _Certificate(10),
        (Expected("CertificateExpiring", "warning", labels={"service": "drill"}),),
        together="more restarts",
    ),
    Drill(
        "certificate-critical",
        "an address is probed whose certificate is good for two days",
        _Certificate(2),
        (Expected("CertificateExpiring", "critical", labels={"service": "drill"}),),
    ),
    Drill(
        "sample-limit",
        "the voice service has more series than Prometheus may take of it",
        _small_limit,
        (Expected("ScrapeLimitHit", "warning"),),
    ),
    Drill("bad-rules", "Prometheus is to load a file that holds no rules", _bad_rules, (Expected("PrometheusBadConfig", "critical"),)),
    Drill(
        "failing-rule",
        "Prometheus gets a rule that can't be evaluated",
        _failing_rule,
        (Expected("PrometheusRuleFailures", "critical"),),
        together="calm",
    ),
    Drill(
        "bad-routes",
        "Alertmanager is to load a broken configuration",
        _bad_alertmanager,
        (Expected("AlertmanagerFailedReload", "critical"),),
        together="calm",
    ),
    Drill(
        "slack-refuses",
        "Slack answers 500 while a page goes out",
        _slack,
        (Expected("OncallDeliveryFailing", "critical", "direct"),),
        unanswered=("ElasticsearchRed",),
        own_only=True,
    ),
    Drill(
        "oncall-stopped",
        "the on-call service is stopped, and then Redis",
        _oncall,
        (
            Expected("OncallDown", "critical", "direct"),
            Expected("PageWithoutOncall", "critical", "direct"),
            Expected("AlertmanagerFailedToSend", "critical", "direct", {"integration": "webhook"}),
        ),
    ),
    Drill(
        "no-alertmanager",
        "Prometheus loses Alertmanager from its configuration",
        _no_alertmanager,
        (Expected("PrometheusNotConnectedToAlertmanagers", "critical", "unsent"),),
    ),
    Drill(
        "alertmanager-stopped",
        "Alertmanager is stopped, so that no heartbeat comes",
        lambda arena: arena.hands.stop("alertmanager"),
        (Expected("Watchdog", "", "heartbeat"),),
    ),
    Drill("backup-fails", "a backup has no place to go", _failing_backup, (Expected("BackupFailed", "warning"),)),
    Drill(
        "backup-old", "backups are expected every 18 seconds", _rare_backups, (Expected("BackupTooOld", "warning"),), together="few errors"
    ),
    Drill(
        "dead-alertmanager",
        "Prometheus sends to a second Alertmanager, where nobody listens",
        _second_alertmanager,
        (Expected("PrometheusErrorSendingAlerts", "critical"),),
        scale=5.0,
        together="long windows",
    ),
)
