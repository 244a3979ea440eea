"""The environment of each process: what it needs, and no secret more."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from app.core.config import Settings
from app.core.settings_sections import StackSettings
from app.stack.model import Component, Own
from app.stack.stack import Stack

_INHERITED: Final = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
"""All that programs get from the shell that ran `up`; the rest would make two starts differ."""


def base_environment() -> dict[str, str]:
    """The environment that every program shares."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "LANG": "C.UTF-8", "TZ": "UTC"}


def environment(stack: Stack, component: Component, home: Path | None) -> dict[str, str]:
    """The variables that `component` gets on top of the shared ones."""
    declared = {name: stack.expand(value, component.name, home) for name, value in component.env.items()}
    if not isinstance(component.sources[0], Own):
        return declared
    chosen = _chosen(stack, plain_setting_names(), component)
    handed = {name: stack.secret(name) for name in component.secrets if stack.secret(name)}
    return {"PYTHONPATH": stack.expand("{checkout}"), "PYTHONUNBUFFERED": "1", **declared, **chosen, **handed}


def plain_setting_names() -> set[str]:
    """Settings that are no secret and steer processes rather than the stack itself."""
    return {
        name.upper()
        for name, info in Settings.model_fields.items()
        if info.annotation is not SecretStr and name not in StackSettings.model_fields
    }


def _chosen(stack: Stack, names: Iterable[str], component: Component) -> dict[str, str]:
    """What somebody set; it wins over what the table derives, except where the table says what the process is."""
    fixed = {"SPOOL_DIR", "PROMETHEUS_MULTIPROC_DIR", "SERVICE_NAME", "ELASTICSEARCH_USERNAME"}
    derived_secrets = [name for name in component.env if name not in names and name.lower() in Settings.model_fields]
    return {name: stack.explicit[name] for name in (*names, *derived_secrets) if stack.explicit.get(name) and name not in fixed}


def addresses(stack: Stack) -> dict[str, str]:
    """Addresses of this stack under the names of the settings, for commands that talk to it; no secrets."""
    names = {
        "ELASTICSEARCH_URL": "elasticsearch",
        "PROMETHEUS_URL": "prometheus",
        "GRAFANA_URL": "grafana",
        "JAEGER_URL": "jaeger_ui",
        "VOICE_URL": "voice",
    }
    return {setting: stack.url(port_name) for setting, port_name in names.items()}
