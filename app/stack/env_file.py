"""The `.env` of a stack: made once with strong secrets, later only added to."""

import os
import secrets
from pathlib import Path
from typing import Final

import pyrage
from dotenv import dotenv_values

GENERATED: Final = (
    "METRICS_TOKEN",
    "ANALYTICS_KEY",
    "JWT_SECRET",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "ELASTICSEARCH_ADMIN_PASSWORD",
    "ELASTICSEARCH_SHIPPER_PASSWORD",
    "ELASTICSEARCH_READER_PASSWORD",
    "ELASTICSEARCH_CLEANUP_PASSWORD",
    "ELASTICSEARCH_JAEGER_PASSWORD",
    "ELASTICSEARCH_EXPORTER_PASSWORD",
    "GRAFANA_ADMIN_PASSWORD",
    "ERROR_TRACKER_ADMIN_PASSWORD",
    "ERROR_TRACKER_SECRET_KEY",
    "ERROR_TRACKER_TOKEN",
    "LOG_ARCHIVE_IDENTITY",
    "ONCALL_TOKEN",
    "ONCALL_PASSWORD",
    "ONCALL_LINK_KEY",
    "GATEWAY_PASSWORD",
)
"""Secrets that nobody has to think of. Both ways to run use them."""

_SECRET_BYTES: Final = 24
"""192 bits; 32 characters that need no quoting in a URL, a shell or a configuration file."""

_HEADER: Final = """\
# Secrets of this stack, made by `make up`. Keep this file to yourself; it is never overwritten.
# Every other setting has a default: see .env.example, and put what you change here.
"""


def ensure_env_file(path: Path) -> list[str]:
    """Make the file, or add the secrets that it lacks. Returns the names that were added.

    What is in it stays byte for byte. Its mode is 0600 afterwards in any case.
    """
    known = read_env_file(path)
    missing = [name for name in GENERATED if not known.get(name)]
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, _HEADER + _lines(missing))
    elif missing:
        before = path.read_text(encoding="utf-8")
        glue = "" if not before or before.endswith("\n") else "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(glue + _lines(missing))
    path.chmod(0o600)
    return missing


def read_env_file(path: Path) -> dict[str, str]:
    """The variables in the file; empty when there is no file. Names without a value are left out."""
    if not path.exists():
        return {}
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}


def _lines(names: list[str]) -> str:
    return "".join(f"{name}={new_secret(name)}\n" for name in names)


def new_secret(name: str) -> str:
    """A random value that fits the setting: an age identity for archives, a token of Bugsink's form, 192 random bits for all others."""
    if name == "LOG_ARCHIVE_IDENTITY":
        return str(pyrage.x25519.Identity.generate())
    if name == "ERROR_TRACKER_TOKEN":
        return secrets.token_hex(20)
    return secrets.token_urlsafe(_SECRET_BYTES)


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
