"""Configuration from the checkout's `prometheus/`, `alertmanager/`, `docker/`, `grafana/`, rendered for one stack."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from string import Template
from typing import Final

from app.core.config import Settings
from app.core.ports import LOOPBACK, PORTS, local_url
from app.stack.errors import StackError
from app.stack.files import mirror, write_private
from app.stack.paths import CHECKOUT
from app.stack.targets import native_targets, write_targets

_USUAL_INTERVAL_SECONDS: Final = 15.0
"""For which the committed rules are written."""

_LONGEST_SCRAPE_SECONDS: Final = 10.0


_SLACK: Final = """\
slack_configs:
      - api_url_file: '{url_file}'
        send_resolved: true
        title: '{{{{ template "nobet.subject" . }}}}'
        text: '{{{{ template "nobet.slack" . }}}}'
        fallback: '{{{{ template "nobet.subject" . }}}}'"""
"""Beside the mails, where a webhook is set."""

_ONCALL: Final = """\
- name: oncall
    webhook_configs:
      - url: '{url}'
        send_resolved: true
        http_config:
          authorization: {{credentials_file: '{token_file}'}}"""
"""Tells people and goes on until somebody answers."""


def render_prometheus(settings: Settings, out: Path, components: Collection[str] | None = None) -> None:
    """`prometheus/` with the interval of the settings, native targets and the token file beside it."""
    interval = settings.prometheus_scrape_interval
    timeout = interval if interval_seconds(interval) <= _LONGEST_SCRAPE_SECONDS else f"{_LONGEST_SCRAPE_SECONDS:.0f}s"
    config = (CHECKOUT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    config = re.sub(r"^(  (?:scrape|evaluation)_interval:) \S+", rf"\1 {interval}", config, flags=re.MULTILINE)
    config = re.sub(r"^(  scrape_timeout:) \S+", rf"\1 {timeout}", config, flags=re.MULTILINE)
    write_private(out / "prometheus.yml", config)
    _render_rules(settings, out / "rules")
    write_targets(
        out / "targets", native_targets(components, offset=settings.stack_port_offset, env=settings.environment, urls=settings.probe_urls)
    )
    write_private(out / "secrets" / "metrics_token", settings.metrics_token.get_secret_value())


def render_alertmanager(settings: Settings, *, smarthost: str, secrets: str, oncall: str = "") -> str:
    """`alertmanager/alertmanager.yml.tmpl` filled in; passwords stay in files below `secrets`.

    `oncall` is the address of the on-call service; without one Alertmanager tells people itself.
    Raises StackError for a name in the template that nobody knows.
    """
    template = Template((CHECKOUT / "alertmanager" / "alertmanager.yml.tmpl").read_text(encoding="utf-8"))
    signed_in = bool(settings.smtp_username)
    auth = f"smtp_auth_username: '{_quoted(settings.smtp_username)}'\n  smtp_auth_password_file: '{_quoted(f'{secrets}/smtp_password')}'"
    values = {
        "pages": "oncall" if oncall else "direct",
        "heartbeat": "oncall" if oncall else "nobody",
        "oncall": _ONCALL.format(url=_quoted(f"{oncall}/api/alerts"), token_file=_quoted(f"{secrets}/oncall_token"))
        if oncall
        else "# no on-call service",
        "smtp_smarthost": _quoted(smarthost),
        "smtp_from": _quoted(settings.alert_email_from),
        "smtp_to": _quoted(settings.alert_email_to),
        "smtp_auth": auth if signed_in else "# no sign-in: SMTP_USERNAME is empty",
        "slack": _SLACK.format(url_file=_quoted(f"{secrets}/slack_webhook_url"))
        if settings.slack_webhook_url.get_secret_value()
        else "# no Slack: SLACK_WEBHOOK_URL is empty",
        # The built-in inbox speaks no TLS; a password must not travel without.
        "smtp_require_tls": "true" if signed_in else "false",
    }
    try:
        return _quicker(template.substitute(values), settings.prometheus_rule_scale)
    except (KeyError, ValueError) as error:
        raise StackError(f"alertmanager/alertmanager.yml.tmpl can't be filled in: {error}. It may name: {', '.join(values)}.") from None


def _quicker(config: str, scale: float) -> str:
    """Alertmanager's waiting for company and between two messages, scaled as the rules are; at least a second between two."""
    if scale == 1:
        return config

    def scaled(match: re.Match[str]) -> str:
        seconds = interval_seconds(match[2]) * scale if match[2] != "0s" else 0
        return f"{match[1]}: {max(round(seconds), 1 if match[1] == 'group_interval' else 0)}s"

    return re.sub(r"(group_wait|group_interval): (\d+[sm])", scaled, config)


def smarthost(settings: Settings, inbox: str) -> str:
    """Mail server and port: what somebody set, else the stack's own inbox at `inbox`."""
    built_in = (settings.smtp_server, settings.smtp_port) == (LOOPBACK, PORTS["inbox_smtp"])
    return inbox if built_in else f"{settings.smtp_server}:{settings.smtp_port}"


def render_shared(out: Path) -> None:
    """Files that are taken as they are: blackbox, Jaeger, Elasticsearch's roles, Bugsink, mail templates, Grafana's provisioning."""
    docker = CHECKOUT / "docker"
    for relative in ("blackbox/blackbox.yml", "jaeger/jaeger.yaml", "elasticsearch/roles.yml"):
        write_private(out / relative, (docker / relative).read_bytes())
    for name in ("nobet_bugsink.py", "provision.py"):
        write_private(out / "error_tracker" / name, (docker / "bugsink" / name).read_bytes())
    mirror(CHECKOUT / "alertmanager" / "templates", out / "alertmanager" / "templates", "*.tmpl")
    mirror(CHECKOUT / "grafana" / "provisioning", out / "grafana" / "provisioning")
    mirror(CHECKOUT / "grafana" / "dashboards", out / "grafana" / "dashboards", "**/*.json")


def interval_seconds(text: str) -> float:
    """Seconds of a Prometheus duration such as 15s, 500ms or 1m. Raises StackError for anything else."""
    match = re.fullmatch(r"(\d+)(ms|s|m)", text)
    if match is None or not int(match[1]):
        raise StackError(f"PROMETHEUS_SCRAPE_INTERVAL is {text!r}: write a number with ms, s or m, such as 15s.")
    return int(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def _render_rules(settings: Settings, out: Path) -> None:
    """The committed rules, or for another interval, time scale or port a rendering of them."""
    seconds = interval_seconds(settings.prometheus_scrape_interval)
    if (seconds, settings.prometheus_rule_scale, settings.stack_port_offset) == (_USUAL_INTERVAL_SECONDS, 1.0, 0):
        mirror(CHECKOUT / "prometheus" / "rules", out, "*.yml")
        return
    is_usual = settings.grafana_url == local_url("grafana")
    grafana = local_url("grafana", settings.stack_port_offset) if is_usual else settings.grafana_url
    options = [f"--scale={settings.prometheus_rule_scale}", f"--scrape-interval={seconds}", f"--grafana-url={grafana}"]
    with tempfile.TemporaryDirectory() as rendered:
        command = [sys.executable, "-m", "prometheus.generator", f"--out={rendered}", *options]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise StackError(f"The Prometheus rules can't be rendered: {' '.join(done.stderr.split())[-300:]}")
        mirror(Path(rendered), out, "*.yml")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
