"""Backups of the stack in containers, with a stand-in for the `docker` command that keeps volumes as folders."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from app.stack.backup.containers import ContainerPlace
from app.stack.backup.restore import restore_backup
from app.stack.backup.save import make_backup
from app.stack.backup.sealed import Key
from app.stack.backup.shelf import Shelf
from app.stack.backup.steps import STEPS
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack
from tests.unit.stack.backup.conftest import KEEP

_DOCKER = """\
#!{python}
import json, os, sys
from pathlib import Path

root, arguments = Path({root!r}), sys.argv[1:]
with (root / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if arguments[:2] == ["compose", "version"] or arguments == ["info"]:
    sys.exit(0)
if "config" in arguments:
    print((root / "config.json").read_text())
elif "ps" in arguments:
    print((root / "ps.json").read_text())
elif arguments[0] == "run":
    volume = arguments[arguments.index("--volume") + 1].split(":")[0]
    folder = root / "volumes" / volume
    folder.mkdir(parents=True, exist_ok=True)
    command = arguments[arguments.index("IMAGE") + 1 :]
    command = [sys.executable if word == "python" else word.replace("/volume", str(folder)) for word in command]
    os.execvpe(command[0], command, {{**os.environ, "PYTHONPATH": {checkout!r}}})
"""

_SERVICES = {
    "shipper": ("spool", "10001:10001"),
    "cleanup": ("archive", "10001:10001"),
    "grafana": ("grafana", "472:0"),
    "alertmanager": ("alertmanager", "65534:65534"),
    "error-tracker": ("error-tracker", "14237:14237"),
    "prometheus": ("prometheus", "65534:65534"),
    "postgres": ("postgres", "70:70"),
    "elasticsearch": ("elasticsearch", "1000:0"),
}
_WITHOUT_SERVERS = ("shipper", "cleanup", "grafana", "alertmanager")


class Docker:
    """The stand-in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        config = {
            "volumes": {volume: {"name": f"nobet_{volume}"} for volume, _ in _SERVICES.values()},
            "services": {name: {"user": user, "image": "IMAGE"} for name, (_, user) in _SERVICES.items()},
        }
        (root / "config.json").write_text(json.dumps(config))
        self.run(*_WITHOUT_SERVERS)

    def run(self, *services: str) -> None:
        """These are running and healthy."""
        (self.root / "ps.json").write_text(json.dumps([{"Service": name, "State": "running", "Health": "healthy"} for name in services]))

    def volume(self, name: str) -> Path:
        """The folder behind a volume."""
        folder = self.root / "volumes" / f"nobet_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def calls(self) -> list[list[str]]:
        """Everything that was asked of it."""
        return [json.loads(line) for line in (self.root / "calls").read_text().splitlines()]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """The stand-in, first on the PATH."""
    root = tmp_path / "docker"
    root.mkdir()
    program = root / "docker"
    program.write_text(_DOCKER.format(python=sys.executable, root=str(root), checkout=str(CHECKOUT)))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}")
    return Docker(root)


def _fill(docker: Docker) -> None:
    (docker.volume("spool") / "app").mkdir()
    (docker.volume("spool") / "app" / "1").write_text("record\n")
    (docker.volume("grafana") / "file").write_text("ışık")
    (docker.volume("archive") / "logs-1.age").write_bytes(b"sealed")


@pytest.mark.req("BAK-03")
def test_volumes_come_back_as_they_were(docker: Docker, stack: Stack, key: Key, shelf: Shelf) -> None:
    """Saved from one set of volumes and put into empty ones: the same files, and the settings."""
    _fill(docker)
    made = make_backup(ContainerPlace(stack), shelf, key, KEEP, "0.1.0", _quiet)
    assert {part.store for part in made.manifest.parts} == {"settings", "spool", "grafana", "alertmanager", "archives"}
    before = _content(docker)
    (docker.root / "volumes").rename(docker.root / "old")
    restore_backup(ContainerPlace(stack), made.path, key, _quiet, force=False)
    assert _content(docker) == before
    assert ["up", "-d", "--wait", "postgres", "elasticsearch"] in [call[-5:] for call in docker.calls()]


def test_volumes_with_data_are_left_alone_even_with_force(docker: Docker, stack: Stack, key: Key, shelf: Shelf) -> None:
    """They can't be put aside, so nothing is deleted: the sentence says how to do that."""
    _fill(docker)
    made = make_backup(ContainerPlace(stack), shelf, key, KEEP, "0.1.0", _quiet)
    before = _content(docker)
    place = ContainerPlace(stack)
    for force, words in ((False, "has data already: spool, grafana, archives"), (True, "docker compose down --volumes")):
        with pytest.raises(StackError, match=words):
            restore_backup(place, made.path, key, _quiet, force=force)
    assert _content(docker) == before


def test_a_volume_is_read_by_its_owner_without_network(docker: Docker, stack: Stack) -> None:
    """The container that reads a volume sees that one only, as the user that wrote it, and can reach nobody."""
    _fill(docker)
    b"".join(ContainerPlace(stack).tree("grafana", {}))
    (call,) = [call for call in docker.calls() if call[0] == "run"]
    assert call[: call.index("IMAGE")] == [
        "run", "--rm", "-i", "--network", "none", "--user", "472:0", "--volume", "nobet_grafana:/volume",
    ]  # fmt: skip


def test_passwords_are_in_no_command_line(docker: Docker, stack: Stack) -> None:
    """The database's password is read inside of its container; its program and arguments are handed over as they are."""
    command = ContainerPlace(stack).postgres("pg_dump", "--format=custom")
    assert command.argv[-2:] == ["pg_dump", "--format=custom"]
    assert command.argv[-6:-2] == ["postgres", "sh", "-c", 'PGPASSWORD="$(cat /run/secrets/postgres_password)" exec "$0" "$@"']
    assert stack.secret("POSTGRES_PASSWORD") not in " ".join(command.argv)


def test_a_service_that_is_off_is_left_out_and_a_sick_one_is_named(docker: Docker, stack: Stack) -> None:
    """Without the profile of the error tracker there is nothing of it to save; what has to answer does, or the backup stops."""
    assert not ContainerPlace(stack).has("error_tracker")
    (docker.root / "ps.json").write_text(json.dumps([{"Service": "postgres", "State": "running", "Health": "starting"}]))
    with pytest.raises(StackError, match="container of postgres is not healthy"):
        ContainerPlace(stack).must_run("postgres")


def test_every_store_has_its_service_and_volume_in_compose() -> None:
    """What the backup looks for is what docker-compose.yml declares, with a user that owns the files."""
    import yaml

    from app.stack.backup.containers import _VOLUMES

    declared: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    assert {step.store for step in STEPS} - {"settings"} == set(_VOLUMES)
    for wanted in _VOLUMES.values():
        service = declared["services"][wanted.service]
        assert any(mount.startswith(f"{wanted.volume}:") for mount in service["volumes"]), wanted
        assert "user" in service, wanted
        assert wanted.volume in declared["volumes"]


def _content(docker: Docker) -> dict[str, bytes]:
    root = docker.root / "volumes"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _quiet(_store: str, _state: str, _detail: str) -> None:
    pass
