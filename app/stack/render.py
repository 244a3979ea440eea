"""Configuration that both ways to run share, rendered into a folder: Prometheus, Alertmanager, blackbox, Jaeger, Grafana.

The sources are the checkout's `prometheus/`, `alertmanager/`, `docker/`, `grafana/`.
"""

import re
from collections.abc import Collection
from pathlib import Path
from string import Template

from app.core.config import Settings
from app.stack.errors import StackError
from app.stack.files import mirror, write_private
from app.stack.paths import CHECKOUT
from app.stack.targets import native_targets, write_targets


def render_prometheus(settings: Settings, out: Path, components: Collection[str] | None = None) -> None:
    """`prometheus/` with the interval of the settings, native targets and the token file beside it."""
    source = CHECKOUT / "prometheus"
    interval = settings.prometheus_scrape_interval
    config = (source / "prometheus.yml").read_text(encoding="utf-8")
    config = re.sub(r"^(  (?:scrape|evaluation)_interval:) \S+", rf"\1 {interval}", config, flags=re.MULTILINE)
    config = re.sub(r"^(  scrape_timeout:) \S+", rf"\1 {_timeout(interval)}", config, flags=re.MULTILINE)
    write_private(out / "prometheus.yml", config)
    mirror(source / "rules", out / "rules", "*.yml")
    write_targets(out / "targets", native_targets(components, offset=settings.stack_port_offset, env=settings.environment))
    write_private(out / "secrets" / "metrics_token", settings.metrics_token.get_secret_value())


def render_alertmanager(settings: Settings, out: Path, *, smtp_password_file: str) -> None:
    """`alertmanager/alertmanager.yml.tmpl` filled in, and its mail templates. Raises StackError for an unknown name in it."""
    source = CHECKOUT / "alertmanager"
    template = Template((source / "alertmanager.yml.tmpl").read_text(encoding="utf-8"))
    try:
        text = template.substitute(alertmanager_values(settings, smtp_password_file=smtp_password_file))
    except (KeyError, ValueError) as error:
        raise StackError(
            f"alertmanager/alertmanager.yml.tmpl can't be filled in: {error}. Names are those of alertmanager_values."
        ) from None
    write_private(out / "alertmanager.yml", text)
    mirror(source / "templates", out / "templates", "*.tmpl")


def alertmanager_values(settings: Settings, *, smtp_password_file: str) -> dict[str, str]:
    """What the template may name. `smtp_auth` is one or two whole lines, or a comment where no sign-in is wanted."""
    signed_in = bool(settings.smtp_username)
    auth = f"smtp_auth_username: '{_quoted(settings.smtp_username)}'\n  smtp_auth_password_file: '{_quoted(smtp_password_file)}'"
    return {
        "smtp_smarthost": f"{settings.smtp_server}:{settings.smtp_port}",
        "smtp_from": _quoted(settings.alert_email_from),
        "smtp_to": _quoted(settings.alert_email_to),
        "smtp_auth": auth if signed_in else "# no sign-in: SMTP_USERNAME is empty",
        # The built-in inbox speaks no TLS; a password must not travel without.
        "smtp_require_tls": "true" if signed_in else "false",
        "environment": settings.environment,
    }


def render_shared(out: Path) -> None:
    """Files that are taken as they are: blackbox, Jaeger, Elasticsearch's roles, Grafana's provisioning."""
    docker = CHECKOUT / "docker"
    for relative in ("blackbox/blackbox.yml", "jaeger/jaeger.yaml", "elasticsearch/roles.yml"):
        write_private(out / relative, (docker / relative).read_bytes())
    mirror(CHECKOUT / "grafana" / "provisioning", out / "grafana" / "provisioning")
    mirror(CHECKOUT / "grafana" / "dashboards", out / "grafana" / "dashboards", "**/*.json")


def _timeout(interval: str) -> str:
    """A scrape may take as long as its interval, ten seconds at most."""
    match = re.fullmatch(r"(\d+)s", interval)
    return f"{min(10, int(match[1]))}s" if match else "10s" if interval.endswith(("m", "h")) else interval


def _quoted(text: str) -> str:
    return text.replace("'", "''")
