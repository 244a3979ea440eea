"""Tells whether what runs is what is wanted: a digest of command and environment, and one of the configuration it reads."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.stack.commands import Command
from app.stack.files import write_private
from app.stack.model import Component, Own
from app.stack.paths import CHECKOUT, StackPaths


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Two digests: a change of the first needs a restart, a change of the second alone may be a reload."""

    process: str
    config: str


def fingerprint(component: Component, command: Command, paths: StackPaths) -> Fingerprint:
    """The fingerprint of what would be started now. Our own processes include their code."""
    process = hashlib.sha256(json.dumps([command.argv, sorted(command.env.items())]).encode())
    if isinstance(component.sources[0], Own):
        _add(process, (CHECKOUT / "app",), "*.py")
    config = hashlib.sha256()
    _add(config, tuple(paths.etc / name for name in component.config), "*")
    return Fingerprint(process.hexdigest(), config.hexdigest())


def recorded(component: str, paths: StackPaths) -> Fingerprint | None:
    """The fingerprint with which the component was started last; None when it never was."""
    try:
        return Fingerprint(**json.loads(_file(component, paths).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def record(component: str, value: Fingerprint, paths: StackPaths) -> None:
    """Remember what was started."""
    write_private(_file(component, paths), json.dumps(asdict(value)))


def _file(component: str, paths: StackPaths) -> Path:
    return paths.run / component / "fingerprint.json"


def _add(digest: "hashlib._Hash", roots: tuple[Path, ...], pattern: str) -> None:
    for root in roots:
        files = [root] if root.is_file() else sorted(path for path in root.rglob(pattern) if path.is_file())
        for path in files:
            digest.update(f"\0{path}\0".encode())
            digest.update(path.read_bytes())
