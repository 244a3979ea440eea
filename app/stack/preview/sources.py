"""Where the data is: Grafana's own provisioning, with the addresses of this stack filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.stack.components import COMPONENTS
from app.stack.environment import environment
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack

PROVISIONING: Final = CHECKOUT / "grafana" / "provisioning" / "datasources"

_VARIABLE: Final = re.compile(r"\$\$|\$\{(\w+)\}")
"""Grafana's syntax: `${NAME}` is taken from the environment, `$$` is a dollar sign."""


@dataclass(frozen=True)
class Source:
    """One data source. `secret` is (user, password) or nothing, and never leaves the server."""

    uid: str
    name: str
    kind: str
    url: str
    default: bool
    options: Mapping[str, Any]
    secret: tuple[str, str] | None = None

    def as_public(self) -> dict[str, Any]:
        """What the page may know: no address, no password."""
        return {"uid": self.uid, "name": self.name, "type": self.kind, "isDefault": self.default, "options": dict(self.options)}


def sources_of(stack: Stack) -> dict[str, Source]:
    """Uid → data source of this stack, as Grafana would have it. Raises KeyError for a variable that nothing sets."""
    variables = environment(stack, COMPONENTS["grafana"], None)
    return read_sources(PROVISIONING, variables)


def read_sources(folder: Path, variables: Mapping[str, str]) -> dict[str, Source]:
    """The data sources that the files of `folder` declare."""
    declared = [
        entry for path in sorted(folder.glob("*.y*ml")) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    ]
    return {entry["uid"]: _source(_filled(entry, variables)) for entry in declared}


def _source(entry: Mapping[str, Any]) -> Source:
    secret = (entry["basicAuthUser"], entry["secureJsonData"]["basicAuthPassword"]) if entry.get("basicAuth") else None
    return Source(
        uid=entry["uid"],
        name=entry["name"],
        kind=entry["type"],
        url=entry["url"].rstrip("/"),
        default=bool(entry.get("isDefault")),
        options=entry.get("jsonData", {}),
        secret=secret,
    )


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: variables[match[1]] if match[1] else "$", value)
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return value
