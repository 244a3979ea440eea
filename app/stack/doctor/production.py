"""`nobet doctor --production`: what must be so before strangers reach this stack, seen in its settings and files."""

import datetime as dt
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from app.core.config import SHORTEST_SIGNING_KEY, check_secret
from app.stack.acme.shelf import read
from app.stack.doctor.exposure import exposure_checks
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.env_file import GENERATED
from app.stack.gateway.certificate import certificate_and_key
from app.stack.gateway.served import served_certificate
from app.stack.gateway.sites import hosts, is_public
from app.stack.mode import Mode

GROUP: Final = "production"

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LEFT_SECONDS: Final = 7 * 24 * 3600
"""ACME clients renew thirty days before the end: a week before it, that has failed for long."""

_KINDS: Final = ("_password", "_token", "_secret", "_key")


def production_checks() -> tuple[Check, ...]:
    """In the order of the table: settings and files first, then what the running stack shows to others."""
    looks = (
        ("environment", environment),
        ("secrets", secrets),
        ("secret files", secret_files),
        ("certificate", certificate),
        ("settings", settings),
    )
    return (*(Check(name, GROUP, look) for name, look in looks), *exposure_checks(GROUP))


def environment(scene: Scene) -> list[Finding]:
    """Guards that are off in development are on."""
    chosen = scene.stack.settings
    found: list[Finding] = []
    if chosen.environment != "production":
        found += problem(
            f"ENVIRONMENT is {chosen.environment}.",
            "Weak secrets do not stop the start there, /crash and /debug may answer, and logs hold DEBUG records.",
            "ENVIRONMENT=production in .env, then make up",
        )
    elif chosen.error_endpoints_enabled:
        found += problem("/crash and /debug answer.", "ENABLE_ERROR_ENDPOINTS is on.", "Remove it from .env, then make up")
    return found or ok("ENVIRONMENT is production, and the endpoints that fail on purpose are off.")


def secrets(scene: Scene) -> list[Finding]:
    """Every secret is set, strong, and a secret of its own."""
    found: list[Finding] = []
    owners: dict[str, str] = {}
    for name, value in _secrets(scene):
        try:
            check_secret(name, value)
        except ValueError as error:
            found += problem(f"{name} can be guessed.", f"{error}.", f"Remove {name} from .env: `make up` makes a strong one")
            continue
        if not value and name in GENERATED:
            found += problem(f"{name} is empty.", "Without it a door stands open or a service does not start.", "make up")
        if value and value in owners:
            found += problem(
                f"{name} and {owners[value]} have the same value.",
                "Who learns one has the other.",
                f"Remove {name} from .env: `make up` makes one of its own",
            )
        owners.setdefault(value, name)
    if 0 < len(scene.stack.secret("JWT_SECRET")) < SHORTEST_SIGNING_KEY:
        found += problem(
            "JWT_SECRET is short.", f"A key for HS256 has {SHORTEST_SIGNING_KEY} characters or more.", "Remove it from .env, then make up"
        )
    return found or ok("Every secret is set, long, no placeholder, and used once.")


def _secrets(scene: Scene) -> Iterator[tuple[str, str]]:
    for name in type(scene.stack.settings).model_fields:
        value = getattr(scene.stack.settings, name)
        if isinstance(value, SecretStr) and (name.endswith(_KINDS) or name.upper() in GENERATED):
            yield name.upper(), value.get_secret_value()


def secret_files(scene: Scene) -> list[Finding]:
    """Nobody but the owner can read a file with a secret in it."""
    paths = scene.stack.paths
    named = (paths.env_file, scene.stack.settings.gateway_certificate_key)
    below = (path for folder in (paths.secrets, paths.etc) if _is_open(folder) for path in folder.rglob("*"))
    found: list[Finding] = []
    for path in dict.fromkeys([*(path for path in named if path), paths.root, paths.secrets, paths.etc, *below]):
        if path.exists() and not path.is_symlink() and _is_open(path):
            found += problem(
                f"{path} can be read by others than its owner ({stat.filemode(path.stat().st_mode)}).",
                "Its mode was changed, or it was copied with a wide umask.",
                f"chmod go= {path}",
            )
    return found or ok("Files with secrets are for their owner alone, and so are the folders around them.")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)


def certificate(scene: Scene) -> list[Finding]:
    """People see a certificate that their browsers trust, for every name, for long enough."""
    chosen = scene.stack.settings
    if not is_public(chosen):
        return note(
            f"The gateway listens on {chosen.gateway_bind}: nobody else reaches it.",
            "GATEWAY_BIND=0.0.0.0 opens it. Behind a balancer with TLS of its own it may stay so.",
        )
    if chosen.gateway_acme_email:
        return _by_acme(scene)
    if chosen.gateway_certificate is None:
        return problem(
            "The gateway is open and signs its certificate itself.",
            "GATEWAY_CERTIFICATE is empty: people learn to click warnings away, and can't tell an impostor.",
            "GATEWAY_ACME_EMAIL=you@example.org in .env, then make up: it gets one; docs/security.md, Certificates",
        )
    chain, key = certificate_and_key(chosen, scene.stack.paths.secrets)
    found: list[Finding] = []
    if _openssl(chain, "x509", "-noout", "-pubkey") != _openssl(key, "pkey", "-pubout"):
        found += problem(
            "Certificate and key do not belong together.", "The files are of two certificates.", "Name files of one certificate"
        )
    if _openssl(chain, "x509", "-noout", "-subject").partition("=")[2] == _openssl(chain, "x509", "-noout", "-issuer").partition("=")[2]:
        found += problem("The gateway's certificate is self-signed.", "No browser trusts it.", "docs/security.md, Certificates")
    if "will expire" in _openssl(chain, "x509", "-noout", "-checkend", str(_LEFT_SECONDS)):
        found += problem("The gateway's certificate ends within a week.", "Nobody renewed it.", "Renew it where it came from, then make up")
    missing = [name for name in hosts(chosen.gateway_host) if "does match" not in _openssl(chain, "x509", "-noout", "-checkhost", name)]
    if missing:
        found += problem(
            f"The certificate is not for {', '.join(missing)}.", "It was made without these names.", "Have one made for all of them"
        )
    return found or ok("The certificate is for every name of the gateway, and signed by somebody else.")


def _by_acme(scene: Scene) -> list[Finding]:
    """What the running gateway serves: nobody but the authority can say what it will be."""
    try:
        held = read(served_certificate(scene.stack))
    except OSError:
        return note("The gateway does not run, so its certificate was not seen.", "make up, then nobet doctor --production again")
    chosen, fix = scene.stack.settings, "nobet certificate"
    if held.self_signed:
        return problem("The authority has given no certificate yet.", f"{fix} says why.", fix)
    found: list[Finding] = []
    if missing := [name for name in hosts(chosen.gateway_host) if name not in held.names]:
        found += problem(f"The certificate is not for {', '.join(missing)}.", "The authority gave none for the new names yet.", fix)
    if (held.ends - dt.datetime.now(dt.UTC)).total_seconds() < _LEFT_SECONDS:
        found += problem("The gateway's certificate ends within a week.", f"The authority gave no new one; {fix} says why.", fix)
    if "staging" in chosen.gateway_acme_directory:
        found += problem(
            "The certificate is one for trials.", "GATEWAY_ACME_DIRECTORY is a staging server.", "Remove it from .env, then make up"
        )
    return found or ok(f"The certificate is for every name of the gateway, by {held.issuer}, and renewed by the stack.")


def _openssl(text: bytes, *arguments: str) -> str:
    """What openssl prints about a certificate or key; empty when it can't be asked."""
    try:
        done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=False, timeout=10)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace")


def settings(scene: Scene) -> list[Finding]:
    """Defaults that serve a trial and no more."""
    chosen = scene.stack.settings
    found: list[Finding] = []
    if "*" in chosen.cors_origins:
        found += problem("Every web page may call the app.", "CORS_ORIGINS is *.", "CORS_ORIGINS=https://app.example.org, your own pages")
    if "*" in chosen.forwarded_allow_ips:
        found += problem(
            "Everybody may say which address they come from.", "FORWARDED_ALLOW_IPS is *.", "Name the proxies, or remove it from .env"
        )
    if chosen.sentry_send_default_pii or chosen.log_ip_mode == "full":
        found += note("Whole addresses or user names are kept.", "docs/privacy.md; LOG_IP_MODE and SENTRY_SEND_DEFAULT_PII")
    for name, url in (("GRAFANA_URL", chosen.grafana_url), ("ONCALL_PUBLIC_URL", chosen.oncall_public_url)):
        if not url.startswith("https://") and is_public(chosen):
            found += problem(
                f"{name} is {url}.", "Links in messages lead there: to nowhere, or in the clear.", f"{name}=https://… as people reach it"
            )
    if chosen.alert_email_to.endswith("@localhost"):
        found += note("Alert mails stay in the inbox of the stack.", "SMTP_SERVER and ALERT_EMAIL_TO; docs/oncall.md has other ways")
    if scene.mode is Mode.NATIVE and not chosen.backup_every_hours:
        found += note("Nobody notices when backups stop.", "docs/backup.md; BACKUP_EVERY_HOURS")
    return found or ok("No setting is left at a value for trials.")
