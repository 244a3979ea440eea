"""docker-compose.yml and the image that it builds: valid, and in agreement with what the images are like."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.config import load_settings
from app.core.ports import PORTS
from app.stack.components.checks import COMPOSE
from app.stack.components.data import ELASTICSEARCH
from app.stack.install import go
from app.stack.install.__main__ import compose_home
from app.stack.mode import has_compose
from app.stack.model import Maven
from tests.config.conftest import CACHE
from tests.config.files import compose, run
from tests.support.processes import CHECKOUT

FILE = CHECKOUT / "docker-compose.yml"
DOCUMENT = compose()
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OWN = {"app", "voice", "oncall", "shipper", "cleanup", "migrate", "elasticsearch-setup", "acme"}
ONE_SHOT = {"migrate", "elasticsearch-setup"}
EACH = pytest.mark.parametrize("name", SERVICES)

WRITABLE_ROOT = {"elasticsearch"}
"""Images that support no read-only root file system."""

MEMORY_BUDGET = 6 * 1024**3

PUBLISHED = {
    "app": ["app"],
    "voice": ["voice"],
    "shipper": ["shipper"],
    "oncall": ["oncall"],
    "cleanup": ["cleanup"],
    "elasticsearch": ["elasticsearch"],
    "prometheus": ["prometheus"],
    "alertmanager": ["alertmanager"],
    "grafana": ["grafana"],
    "jaeger": ["jaeger_ui", "otlp_grpc", "otlp_http"],
    "mailpit": ["inbox"],
    "error-tracker": ["error_tracker"],
    "gateway": ["gateway", "gateway_tls"],
}
"""Service → its ports in app/core/ports.py that open on this machine. Databases and exporters have none."""

USERS = {
    "postgres": "70:70",
    "redis": "999:1000",
    "elasticsearch": "1000:0",
    "grafana": "472:0",
    "jaeger": "10001:10001",
    "prometheus": "65534:65534",
    "alertmanager": "65534:65534",
    "redis-exporter": "59000:59000",
    "error-tracker": "14237:14237",
    "gateway": "101:101",
}
"""The users that the images make for themselves, which own their data folders."""

DATA = {
    "postgres": "/var/lib/postgresql",  # from 18 on not …/data: a volume there would stay empty
    "redis": "/data",
    "elasticsearch": "/usr/share/elasticsearch/data",
    "prometheus": "/prometheus",
    "alertmanager": "/alertmanager",
    "grafana": "/var/lib/grafana",
    "error-tracker": "/data",
    "app": "/var/spool/nobet",
    "voice": "/var/spool/nobet",
    "shipper": "/var/spool/nobet",
    "oncall": "/var/spool/nobet",
    "cleanup": "/var/lib/nobet/archive",
    "acme": "/var/lib/nobet/certificates",
}

TOOLS = {
    "postgres": "pg_isready",
    "redis": "redis-cli",
    "elasticsearch": "curl",
    "mailpit": "/mailpit",
    "error-tracker": "python",
} | dict.fromkeys(OWN, "python")
"""What a health check may use; the other images have wget."""


def test_the_file_follows_the_compose_specification() -> None:
    """The published schema accepts it."""
    run(Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FILE)


@pytest.mark.slow
def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    """`docker compose config` resolves it, and without .env stops with the sentence that says what to do."""
    program = _compose_program()
    required = tmp_path / "env"
    required.write_text("".join(f"{name}=x\n" for name in DOCUMENT["x-required"]), encoding="utf-8")
    resolved = yaml.safe_load(run(*program, "--env-file", required, "--file", FILE, "--profile", "*", "config"))
    assert set(resolved["services"]) == set(SERVICES)
    assert resolved["services"]["app"]["ports"][0]["host_ip"] == "127.0.0.1"

    refused = subprocess.run(
        [*program, "--env-file", "/dev/null", "--file", str(FILE), "config"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={},
    )
    assert refused.returncode != 0
    assert 'Run "make up" once' in refused.stderr


def _compose_program() -> list[str]:
    if has_compose():
        return ["docker", "compose"]
    go.build(COMPOSE, compose_home(CACHE), CACHE, print)
    return [str(compose_home(CACHE) / COMPOSE.program)]


@EACH
def test_a_service_is_bounded(name: str) -> None:
    """Memory, processes, log files and the time to stop have limits."""
    service = SERVICES[name]
    assert re.fullmatch(r"\d+m", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
    assert service["stop_grace_period"]


@pytest.mark.req("ROT-02")
def test_container_logs_stay_small() -> None:
    """All containers together write less than a gigabyte of logs."""
    assert all(service["logging"]["options"]["max-file"] == "3" for service in SERVICES.values())
    assert len(SERVICES) * 30 < 1024


def test_memory_limits_fit_a_small_machine() -> None:
    """What runs for good takes less than 6 GiB in all."""
    megabytes = [int(service["mem_limit"].removesuffix("m")) for name, service in SERVICES.items() if name not in ONE_SHOT]
    assert sum(megabytes) * 1024**2 < MEMORY_BUDGET


@pytest.mark.req("ACC-07", "ACC-09")
@EACH
def test_a_service_has_no_right_that_it_does_not_need(name: str) -> None:
    """No root, no capability, no way to gain any, and a root file system that cannot be changed."""
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name not in WRITABLE_ROOT)


@pytest.mark.parametrize(("name", "user"), USERS.items())
def test_a_service_runs_as_the_user_of_its_image(name: str, user: str) -> None:
    """The user that owns the image's data folder can write to the volume there."""
    assert SERVICES[name]["user"] == user


@pytest.mark.req("ACC-02", "ACC-03", "ACC-09", "DEP-01")
@EACH
def test_ports_open_on_loopback_as_the_table_says(name: str) -> None:
    """Nothing but the declared interfaces can be reached from the machine, and from outside nothing unless the gateway is opened."""
    address = "${GATEWAY_BIND:-127.0.0.1}" if name == "gateway" else "127.0.0.1"
    wanted = [f"{address}:${{PORT_{port.upper()}:-{PORTS[port]}}}:{PORTS[port]}" for port in PUBLISHED.get(name, [])]
    assert SERVICES[name].get("ports", []) == wanted


@EACH
def test_images_are_pinned(name: str) -> None:
    """The same version tomorrow as today."""
    tag = SERVICES[name]["image"].rpartition(":")[2]
    pinned = r"-0\.1\.0\}" if name in OWN else r"v?\d+\.\d+\.?\d*(-alpine)?"
    assert re.fullmatch(pinned, tag)


def test_both_ways_run_the_same_elasticsearch() -> None:
    """The image has the version that the native runner installs."""
    native = ELASTICSEARCH.sources[0]
    assert isinstance(native, Maven)
    assert SERVICES["elasticsearch"]["image"].rpartition(":")[2] == native.version


def test_grafana_has_the_elasticsearch_data_source_on_board() -> None:
    """From 13 on it is a plugin that would have to be downloaded."""
    assert SERVICES["grafana"]["image"].startswith("grafana/grafana:12.4.")


@EACH
def test_health_checks_use_what_the_image_has(name: str) -> None:
    """A check that cannot run would keep everything that waits for it from starting."""
    check = SERVICES[name]["healthcheck"]
    if name in ONE_SHOT:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] == "no"
        return
    words = " ".join(check["test"])
    assert TOOLS.get(name, "wget") in words
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert SERVICES[name]["restart"] == "unless-stopped"


@EACH
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    """Each dependency is waited for: healthy where it stays, completed where it ends."""
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        assert how["condition"] == ("service_completed_successfully" if needed in ONE_SHOT else "service_healthy")


@pytest.mark.req("DEP-11")
@pytest.mark.parametrize(("name", "folder"), DATA.items())
def test_data_is_on_a_named_volume_where_the_image_keeps_it(name: str, folder: str) -> None:
    """`down` and `up` again keeps the data."""
    volumes = [volume.split(":") for volume in SERVICES[name]["volumes"]]
    assert [source for source, target, *_ in volumes if target == folder and source in DOCUMENT["volumes"]]


def test_mounted_files_exist_and_cannot_be_changed() -> None:
    """Every folder or file of the checkout that is mounted is there and read-only."""
    mounts = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    for source, _, *mode in (mount for mount in mounts if mount[0].startswith("./")):
        assert (CHECKOUT / source).exists(), source
        assert mode == ["ro"], source


@pytest.mark.req("ACC-06", "ACC-07", "CFG-04")
def test_secrets_are_files_and_no_variable_holds_one() -> None:
    """Passwords reach containers as mounted files; `docker inspect` shows none."""
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|TOKEN|DSN|IDENTITY|DATABASE_URL|REDIS_URL", variable) and not variable.startswith("POSTGRES_INITDB"):
                assert re.search(r"_FILE$", variable), (name, variable)
                assert value.startswith("/run/secrets/")
        words = str([service.get("command"), service.get("entrypoint"), service["healthcheck"]])
        assert "${" not in re.sub(r"\$\{(PROMETHEUS_RETENTION|PORT_[A-Z]+)", "", words), name


@EACH
def test_secret_files_are_declared_and_named_as_they_are_read(name: str) -> None:
    """What a service reads below /run/secrets is given to it, and it gets nothing that it does not read."""
    service = SERVICES[name]
    given = {entry if isinstance(entry, str) else entry["target"] for entry in service.get("secrets", [])}
    text = str({key: value for key, value in service.items() if key != "secrets"})
    read = set(re.findall(r"/run/secrets/([a-z_]+)", text))
    by_rendered_config = {
        "alertmanager": {"oncall_token", "smtp_password", "slack_webhook_url"},
        "gateway": {"gateway_users", "gateway_certificate", "gateway_key"},
        "acme": {"gateway_certificate", "gateway_key"},  # what it puts there until the first one comes
    }
    assert read | by_rendered_config.get(name, set()) == {entry for entry in given if not entry.startswith("/")}
    assert {entry if isinstance(entry, str) else entry["source"] for entry in service.get("secrets", [])} <= set(DOCUMENT["secrets"])


def test_every_setting_that_compose_names_exists() -> None:
    """A variable of the app, the voice service or the shipper that nobody reads is a mistake."""
    names = {name.upper() for name in type(load_settings()).model_fields}
    for service in OWN:
        assert {variable.removesuffix("_FILE") for variable in SERVICES[service]["environment"]} <= names


def test_every_variable_of_the_file_is_a_setting() -> None:
    """What Compose takes from .env is in .env.example, too."""
    names = {name.upper() for name in type(load_settings()).model_fields}
    made = {"STACK_DIR", *(f"PORT_{name.upper()}" for name in PORTS)}
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", FILE.read_text(encoding="utf-8"))) <= names | made


def test_nothing_but_the_program_gets_into_the_image() -> None:
    """.dockerignore lets in by name only, so that no secret, state or history can slip in."""
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert allowed == {"app", "alembic.ini", "requirements/base.txt"}
    copied = re.findall(r"^COPY (?!--from)(\S+)", (CHECKOUT / "docker" / "app" / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(copied) == allowed


def test_the_image_is_reproducible_and_runs_without_rights() -> None:
    """Pinned base and tools, hashed requirements, a numeric user that is not root."""
    text = (CHECKOUT / "docker" / "app" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_VERSION=\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert re.search(r"^ARG UV_VERSION=\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert {SERVICES[name]["user"] for name in OWN} == {"10001:10001"}
