"""Where the stack keeps what it has: one folder, so that removing it removes everything."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
"""The project's own folder, from which configuration is rendered."""

_LONGEST_SOCKET_PATH: Final = 100
"""Bytes. The kernel takes 107 (unix(7)); supervisord appends its process id while it binds."""


@dataclass(frozen=True, slots=True)
class StackPaths:
    """The folders and files of one stack."""

    root: Path
    cache: Path
    env_file: Path

    @property
    def etc(self) -> Path:
        """Rendered configuration; rewritten by every start."""
        return self.root / "etc"

    @property
    def data(self) -> Path:
        """What the servers store, one folder each; survives `down`."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """One log file for each component."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Sockets, locks and working folders; worthless after `down`."""
        return self.root / "run"

    @property
    def secrets(self) -> Path:
        """One file (mode 0600) for each secret that a server reads from a file."""
        return self.root / "secrets"

    @property
    def spool(self) -> Path:
        """Log records on their way from the processes to the shipper."""
        return self.root / "spool"

    @property
    def restoring(self) -> Path:
        """File that is there while a backup is brought back, and after that was interrupted."""
        return self.root / "restoring"

    @property
    def supervisor_config(self) -> Path:
        """The supervisor's own configuration; the programs are in `supervisor.d` beside it."""
        return self.etc / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's socket. Moves to the temporary folder where the stack's own path is too long for a socket."""
        usual = self.run / "supervisor.sock"
        if len(os.fsencode(usual)) <= _LONGEST_SOCKET_PATH:
            return usual
        digest = hashlib.sha256(os.fsencode(usual)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"nobet-{os.getuid()}-{digest}" / "supervisor.sock"

    def log_file(self, component: str) -> Path:
        """The log file of a component."""
        return self.log / f"{component}.log"

    def create(self) -> None:
        """Create the folders. Only the owner may look inside."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.etc, self.data, self.log, self.run, self.secrets, self.spool, self.supervisor_socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.cache.mkdir(parents=True, exist_ok=True)


def find_env_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The `.env` of the stack: beside the state when STACK_DIR is in the environment, else in the checkout."""
    folder = environ.get("STACK_DIR")
    return Path(folder).absolute() / ".env" if folder else CHECKOUT / ".env"


def stack_paths(stack_dir: Path, cache_dir: Path | None, env_file: Path) -> StackPaths:
    """The paths of a stack; relative ones count from the checkout."""
    root = CHECKOUT / stack_dir
    return StackPaths(root=root, cache=CHECKOUT / cache_dir if cache_dir else root / "cache", env_file=env_file)
