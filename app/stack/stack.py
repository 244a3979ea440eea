"""One stack: its settings, its folders and what the component table may refer to."""

import hashlib
import os
import shutil
import sys
import urllib.parse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.core.config import Settings, load_settings
from app.core.ports import LOOPBACK, PORTS, local_url, port
from app.stack.env_file import ensure_env_file, read_env_file
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT, StackPaths, find_env_file, stack_paths


@dataclass(frozen=True)
class Stack:
    """Settings and folders of one stack, and the answers to what templates ask."""

    settings: Settings
    paths: StackPaths
    explicit: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that somebody set, by environment or `.env`; they win over what the stack derives."""

    @property
    def offset(self) -> int:
        """What is added to every port."""
        return self.settings.stack_port_offset

    def port(self, name: str) -> int:
        """The port of one listener of this stack."""
        return port(name, self.offset)

    def url(self, name: str) -> str:
        """The address of one listener of this stack."""
        return local_url(name, self.offset)

    def secret(self, name: str) -> str:
        """The value of a secret setting, empty when unset. Raises KeyError when there is no such secret."""
        value = getattr(self.settings, name.lower(), None)
        if not isinstance(value, SecretStr):
            raise KeyError(name)
        return value.get_secret_value()

    @property
    def error_key(self) -> str:
        """The public key in the DSN of the stack's own error tracker; known before the tracker exists."""
        return uuid.UUID(bytes=hashlib.sha256(f"dsn {self.secret('ERROR_TRACKER_SECRET_KEY')}".encode()).digest()[:16]).hex

    def facts(self, component: str = "", home: Path | None = None) -> dict[str, Any]:
        """What templates may name: folders, ports, settings, secrets."""
        paths = self.paths
        return {
            "python": sys.executable,
            "checkout": CHECKOUT,
            "home": home or "",
            "grafana_home": _grafana_home(),
            "host": LOOPBACK,
            "root": paths.root,
            "etc": paths.etc,
            "secrets": paths.secrets,
            "spool": paths.spool,
            "data": paths.data / component,
            "run": paths.run / component,
            "log": paths.log,
            "port": {name: self.port(name) for name in PORTS},
            "settings": self.settings,
            "error_key": self.error_key,
            "secret": _Secrets(self, quote=False),
            "quoted": _Secrets(self, quote=True),
        }

    def expand(self, template: str, component: str = "", home: Path | None = None) -> str:
        """`template` with its braces filled in. Raises KeyError or AttributeError for unknown names."""
        return template.format_map(self.facts(component, home))


def _grafana_home() -> Path:
    """The folder with Grafana's `conf/defaults.ini`; packages put it under /usr/share, archives beside the program."""
    program = shutil.which("grafana-server")
    own = Path(program).resolve().parents[1] if program else Path("/")
    return own if (own / "conf" / "defaults.ini").exists() else Path("/usr/share/grafana")


class _Secrets(Mapping[str, str]):
    """Secrets by name, looked up when a template asks."""

    def __init__(self, stack: Stack, *, quote: bool) -> None:
        self._stack = stack
        self._quote = quote

    def __getitem__(self, name: str) -> str:
        value = self._stack.secret(name)
        return urllib.parse.quote(value, safe="") if self._quote else value

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def open_stack(environ: Mapping[str, str] = os.environ) -> Stack:
    """The stack that the environment and its `.env` describe. Makes and completes `.env`.

    Raises ConfigError when a setting can't be used.
    """
    env_file = find_env_file(environ)
    try:
        ensure_env_file(env_file)
    except OSError as error:
        raise StackError(
            f"Can't write {env_file}: {error.strerror}. Give this folder to your user, or set STACK_DIR to one you own."
        ) from None
    settings = load_settings(_env_file=env_file)
    paths = stack_paths(settings.stack_dir, settings.stack_cache_dir, env_file)
    return Stack(settings=settings, paths=paths, explicit={**read_env_file(env_file), **environ})
