"""What Prometheus scrapes in the native stack: job → targets with their labels.

`prometheus/targets/native/*.yml` is the output of this module without a port
offset; `python -m app.stack.targets` writes it again.
"""

from collections.abc import Callable, Collection
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
    ("elasticsearch", "elasticsearch", "/_cluster/health", "answers", "http_answers"),
    ("prometheus", "prometheus", "/-/ready", "ready", "http_2xx"),
    ("alertmanager", "alertmanager", "/-/ready", "ready", "http_2xx"),
    ("jaeger", "jaeger_health", "/status", "ready", "http_2xx"),
    ("grafana", "grafana", "/api/health", "ready", "http_2xx"),
    ("inbox", "inbox", "/healthz", "ready", "http_2xx"),
)
"""Component, port, path, what is asked, module of docker/blackbox/blackbox.yml: the probes from outside."""

_NOTE: Final = "# Made by `python -m app.stack.targets`; edit the tables there.\n"


def native_targets(components: Collection[str] | None = None, *, offset: int = 0, env: str = "development") -> dict[str, str]:
    """File name → YAML for each job. Only `components` are targets (None: all); a job without any gets an empty list."""

    def present(component: str) -> bool:
        return components is None or component in components

    def address(name: str) -> str:
        return f"{LOOPBACK}:{port(name, offset)}"

    files = {job: _scrape(job, address(name), env) if present(component) else "[]\n" for job, (component, name) in _SCRAPED.items()}
    files["blackbox-http"] = _probes(present, address, env)
    return {f"{job}.yml": _NOTE + text for job, text in files.items()}


def write_targets(folder: Path, files: dict[str, str]) -> None:
    """Write the files and remove other `.yml` files from `folder`."""
    for name, text in files.items():
        write_private(folder / name, text)
    for path in folder.glob("*.yml"):
        if path.name not in files:
            path.unlink()


def _scrape(job: str, address: str, env: str) -> str:
    return f'- targets: ["{address}"]\n  labels: {{service: {job}, env: {env}}}\n'


def _probes(present: Callable[[str], bool], address: Callable[[str], str], env: str) -> str:
    entries = [
        f'- targets: ["http://{address(name)}{path}"]\n'
        f"  labels: {{service: {component}, env: {env}, probe: {asked}, __param_module: {module}, "
        f'__blackbox_address: "{address("blackbox")}"}}\n'
        for component, name, path, asked, module in _PROBED
        if present(component)
    ]
    return "".join(entries) or "[]\n"


if __name__ == "__main__":
    native = CHECKOUT / "prometheus" / "targets" / "native"
    write_targets(native, native_targets())
    for file in native.glob("*.yml"):
        file.chmod(0o644)
