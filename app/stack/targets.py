"""What Prometheus scrapes in the native stack: job → targets with their labels.

`prometheus/targets/native/*.yml` is the output of this module without a port
offset; `python -m app.stack.targets` writes it again.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from app.core.ports import LOOPBACK, port
from app.stack.files import write_private
from app.stack.paths import CHECKOUT

_SCRAPED: Final[dict[str, tuple[str, str]]] = {
    "app": ("app", "app"),
    "voice": ("voice", "voice"),
    "shipper": ("shipper", "shipper"),
    "oncall": ("oncall", "oncall"),
    "cleanup": ("cleanup", "cleanup"),
    "prometheus": ("prometheus", "prometheus"),
    "alertmanager": ("alertmanager", "alertmanager"),
    "node": ("node_exporter", "node_exporter"),
    "postgres": ("postgres_exporter", "postgres_exporter"),
    "redis": ("redis_exporter", "redis_exporter"),
    "elasticsearch": ("elasticsearch_exporter", "elasticsearch_exporter"),
    "blackbox": ("blackbox", "blackbox"),
    "jaeger": ("jaeger", "jaeger_metrics"),
    "grafana": ("grafana", "grafana"),
}
"""Job → component, name of the port. The job's name is the `service` label too."""

_PROBED: Final[tuple[tuple[str, str, str, str, str], ...]] = (
    ("app", "app", "/health/live", "live", "http_2xx"),
    ("app", "app", "/health/", "health", "http_2xx"),
    ("voice", "voice", "/health/live", "live", "http_2xx"),
    ("voice", "voice", "/health/", "health", "http_2xx"),
    ("elasticsearch", "elasticsearch", "/_cluster/health", "answers", "http_answers"),
    ("prometheus", "prometheus", "/-/ready", "ready", "http_2xx"),
    ("alertmanager", "alertmanager", "/-/ready", "ready", "http_2xx"),
    ("jaeger", "jaeger_health", "/status", "ready", "http_2xx"),
    ("grafana", "grafana", "/api/health", "ready", "http_2xx"),
    ("inbox", "inbox", "/healthz", "ready", "http_2xx"),
)
"""Component, port, path, what is asked, module of docker/blackbox/blackbox.yml: the probes from outside."""

_NOTE: Final = "# Made by `python -m app.stack.targets`; edit the tables there.\n"


def native_targets(
    components: Collection[str] | None = None, *, offset: int = 0, env: str = "development", urls: Sequence[str] = ()
) -> dict[str, str]:
    """File name → YAML for each job. Only `components` are targets (None: all); a job without any gets an empty list.

    `urls` are further addresses to probe, as name=url.
    """

    def present(component: str) -> bool:
        return components is None or component in components

    def address(name: str) -> str:
        return f"{LOOPBACK}:{port(name, offset)}"

    files = {job: _scrape(job, address(name), env) if present(component) else "[]\n" for job, (component, name) in _SCRAPED.items()}
    probes = [
        (f"http://{address(name)}{path}", name_of, asked, module) for name_of, name, path, asked, module in _PROBED if present(name_of)
    ]
    probes += [(url, name, "public", "http_2xx") for name, _, url in (entry.partition("=") for entry in urls)]
    files["blackbox-http"] = "".join(_probe(*probe, address("blackbox"), env) for probe in probes) or "[]\n"
    return {f"{job}.yml": _NOTE + text for job, text in files.items()}


def component_of_job(job: str) -> str:
    """The component that a job scrapes; the prober for probes."""
    return _SCRAPED[job][0] if job in _SCRAPED else "blackbox"


def write_targets(folder: Path, files: dict[str, str]) -> None:
    """Write the files and remove other `.yml` files from `folder`."""
    for name, text in files.items():
        write_private(folder / name, text)
    for path in folder.glob("*.yml"):
        if path.name not in files:
            path.unlink()


def _scrape(job: str, address: str, env: str) -> str:
    return f'- targets: ["{address}"]\n  labels: {{service: {job}, env: {env}}}\n'


def _probe(url: str, service: str, asked: str, module: str, prober: str, env: str) -> str:
    return (
        f"- targets: [{json.dumps(url)}]\n"
        f'  labels: {{service: {service}, env: {env}, probe: {asked}, __param_module: {module}, __blackbox_address: "{prober}"}}\n'
    )


if __name__ == "__main__":
    native = CHECKOUT / "prometheus" / "targets" / "native"
    write_targets(native, native_targets())
    for file in native.glob("*.yml"):
        file.chmod(0o644)
