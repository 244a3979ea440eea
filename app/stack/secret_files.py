"""Secrets as files, for servers that read them so; and the users of Elasticsearch's file realm."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

import bcrypt

from app.stack.env_file import GENERATED
from app.stack.files import write_private
from app.stack.stack import Stack

ELASTICSEARCH_USERS: Final[Mapping[str, str]] = {
    "nobet_admin": "superuser",
    "nobet_shipper": "nobet_shipper",
    "nobet_reader": "nobet_reader",
    "nobet_cleanup": "nobet_cleanup",
    "nobet_jaeger": "nobet_jaeger",
    "nobet_exporter": "nobet_exporter",
}
"""User → role. Roles other than `superuser` are in docker/elasticsearch/roles.yml."""

_ROUNDS: Final = 10
"""bcrypt's cost, Elasticsearch's own default. More would slow every request that is not cached."""


def write_secret_files(stack: Stack) -> None:
    """Write one file for each secret, named like the setting in lower case, without a closing newline."""
    for name in (*GENERATED, "SMTP_PASSWORD", "SLACK_WEBHOOK_URL"):
        write_private(stack.paths.secrets / name.lower(), stack.secret(name))


def elasticsearch_user_files(stack: Stack) -> dict[str, str]:
    """Content of `users` and `users_roles`. A user whose password did not change keeps its hash, so the files stay the same."""
    stamps_file = stack.paths.secrets / "elasticsearch_users.json"
    known: dict[str, dict[str, str]] = json.loads(stamps_file.read_text()) if stamps_file.exists() else {}
    entries = {user: _entry(stack.secret(password_of(user)), known.get(user)) for user in ELASTICSEARCH_USERS}
    write_private(stamps_file, json.dumps(entries))
    return {
        "users": "".join(f"{user}:{entry['hash']}\n" for user, entry in entries.items()),
        "users_roles": "".join(f"{role}:{user}\n" for user, role in ELASTICSEARCH_USERS.items()),
    }


def password_of(user: str) -> str:
    """Name of the setting that holds the password of an Elasticsearch user of ours."""
    return f"ELASTICSEARCH_{user.removeprefix('nobet_').upper()}_PASSWORD"


def _entry(password: str, known: dict[str, str] | None) -> dict[str, str]:
    # The stamp is of a random secret of 192 bits, so it gives nothing away.
    stamp = hashlib.sha256(password.encode()).hexdigest()
    if known and known["stamp"] == stamp:
        return known
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS, prefix=b"2a"))  # 2a: Elasticsearch refuses 2b
    return {"stamp": stamp, "hash": hashed.decode()}
