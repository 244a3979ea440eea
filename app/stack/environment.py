"""The environment of each process: what it needs, and no secret more."""

import os
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from app.core.config import Settings
from app.core.settings_sections import GatewaySettings, StackSettings
from app.stack.choose import is_available
from app.stack.components import COMPONENTS
from app.stack.model import Component, Own
from app.stack.stack import Stack

_INHERITED: Final = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
"""All that programs get from the shell that ran `up`; the rest would make two starts differ."""


_FIXED: Final = frozenset({"SPOOL_DIR", "PROMETHEUS_MULTIPROC_DIR", "SERVICE_NAME", "ELASTICSEARCH_USERNAME"})
"""Settings that say which process this is; one value for all of them would be wrong."""


def base_environment() -> dict[str, str]:
    """The environment that every program shares."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "LANG": "C.UTF-8", "TZ": "UTC"}


def environment(stack: Stack, component: Component, home: Path | None) -> dict[str, str]:
    """The variables that `component` gets on top of the shared ones."""
    absent = {name for name, needed in component.env_where.items() if not is_available(stack, needed)}
    declared = {name: stack.expand(value, component.name, home) for name, value in component.env.items() if name not in absent}
    if not isinstance(component.sources[0], Own):
        return declared
    chosen = _chosen(stack, component)
    handed = {name: stack.secret(name) for name in component.secrets if stack.secret(name)}
    return {"PYTHONPATH": stack.expand("{checkout}"), "PYTHONUNBUFFERED": "1", **declared, **chosen, **handed}


def plain_setting_names() -> set[str]:
    """Settings that are no secret and steer processes rather than the stack itself."""
    of_the_stack = StackSettings.model_fields.keys() | GatewaySettings.model_fields.keys()
    return {name.upper() for name, info in Settings.model_fields.items() if info.annotation is not SecretStr and name not in of_the_stack}


def _chosen(stack: Stack, component: Component) -> dict[str, str]:
    """What somebody set; it wins over what the table derives, except where the table says what the process is."""
    derived_secrets = {name for name in component.env if name.lower() in Settings.model_fields}
    names = (plain_setting_names() | derived_secrets) - _FIXED
    return {name: stack.explicit[name] for name in sorted(names) if is_choice(name, stack.explicit.get(name, ""))}


def is_choice(name: str, value: str) -> bool:
    """Whether a setting was given a value of its own: who copies all of .env.example chooses nothing."""
    default = Settings.model_fields[name.lower()].default
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    return value not in ("", str(plain))


def client_environment(stack: Stack) -> dict[str, str]:
    """Settings for commands that talk to this stack: addresses, and the passwords that read from it."""
    ports = {
        "ELASTICSEARCH_URL": "elasticsearch",
        "PROMETHEUS_URL": "prometheus",
        "GRAFANA_URL": "grafana",
        "JAEGER_URL": "jaeger_ui",
        "VOICE_URL": "voice",
        "ERROR_TRACKER_URL": "error_tracker",
    }
    urls = {name: stack.url(port) for name, port in ports.items() if not is_choice(name, stack.explicit.get(name, ""))}
    secrets = {name: stack.secret(name) for name in ("METRICS_TOKEN", "ELASTICSEARCH_READER_PASSWORD", "ERROR_TRACKER_TOKEN")}
    return {**urls, **secrets, "STACK_PORT_OFFSET": str(stack.offset)}


def demo_environment(stack: Stack) -> dict[str, str]:
    """What `nobet demo` needs beyond other commands, to play its own troubles: the key of tokens, the database, the spool."""
    chosen = stack.explicit.get("DATABASE_URL", "")
    url = chosen if is_choice("DATABASE_URL", chosen) else stack.expand(COMPONENTS["app"].env["DATABASE_URL"])
    settings = {"ENVIRONMENT": stack.settings.environment, "APP_VERSION": stack.settings.app_version}
    return {**settings, "JWT_SECRET": stack.secret("JWT_SECRET"), "DATABASE_URL": url, "SPOOL_DIR": str(stack.paths.spool)}
