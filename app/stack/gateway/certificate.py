"""The gateway's certificate: the one that the settings name, or one that the stack signs itself and renews."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from app.core.config import Settings
from app.core.ports import LOOPBACK
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.gateway.sites import hosts
from app.stack.paths import CHECKOUT

_DAYS: Final = 397
"""Longest life of a certificate that browsers accept (CA/Browser Forum, Baseline Requirements 6.3.2)."""

_RENEW_SECONDS: Final = 30 * 24 * 3600


def certificate_and_key(settings: Settings, folder: Path) -> tuple[bytes, bytes]:
    """Certificate chain and private key, both PEM. Those that the stack signs itself are kept in `folder`.

    With ACME it is what serves until the first certificate comes.
    Raises StackError when settings contradict each other, their files can't be read, or openssl is missing.
    """
    _check_acme(settings)
    if settings.gateway_certificate is None or settings.gateway_certificate_key is None:
        if settings.gateway_certificate or settings.gateway_certificate_key:
            raise StackError("GATEWAY_CERTIFICATE and GATEWAY_CERTIFICATE_KEY belong together: set both, or neither.")
        return _self_signed(settings.gateway_host, folder)
    return (
        _read("GATEWAY_CERTIFICATE", settings.gateway_certificate),
        _read("GATEWAY_CERTIFICATE_KEY", settings.gateway_certificate_key),
    )


def _check_acme(settings: Settings) -> None:
    if not settings.gateway_acme_email:
        return
    if settings.gateway_certificate:
        raise StackError("GATEWAY_ACME_EMAIL and GATEWAY_CERTIFICATE exclude each other: unset the one that you don't want.")
    host = settings.gateway_host
    if "." not in host or host.endswith(".localhost") or host.replace(".", "").isdigit():
        raise StackError(
            f"GATEWAY_ACME_EMAIL needs a public name, and GATEWAY_HOST is {settings.gateway_host}: set GATEWAY_HOST=watch.example.org, "
            "or unset GATEWAY_ACME_EMAIL."
        )


def _read(name: str, path: Path) -> bytes:
    try:
        return (CHECKOUT / path).read_bytes()
    except OSError as error:
        raise StackError(f"{name}: can't read {path}: {error.strerror}. Correct the path, or unset it and {name}'s companion.") from None


def _self_signed(host: str, folder: Path) -> tuple[bytes, bytes]:
    certificate, key, names = folder / "self-signed.pem", folder / "self-signed.key", folder / "self-signed.names"
    # Each by its name: clients refuse *.localhost, a wildcard right below a top-level domain.
    names_of_sites = (f"DNS:{name}" for name in hosts(host))
    wanted = ",".join(dict.fromkeys((*names_of_sites, "DNS:localhost", f"IP:{LOOPBACK}")))
    if not (names.exists() and names.read_text(encoding="utf-8") == wanted and key.exists() and _is_valid(certificate)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as made:
            _openssl(
                *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(_DAYS)),
                *("-subj", f"/CN={host}", "-addext", f"subjectAltName={wanted}", "-addext", "extendedKeyUsage=serverAuth"),
                *("-keyout", f"{made}/key", "-out", f"{made}/certificate"),
            )
            write_private(key, Path(made, "key").read_bytes())
            write_private(certificate, Path(made, "certificate").read_bytes())
        write_private(names, wanted)
    return certificate.read_bytes(), key.read_bytes()


def _is_valid(certificate: Path) -> bool:
    command = ["openssl", "x509", "-checkend", str(_RENEW_SECONDS), "-noout", "-in", str(certificate)]
    return (
        shutil.which("openssl") is None
        or subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
    )


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise StackError("openssl makes the gateway's certificate and is missing: install it, or set GATEWAY_CERTIFICATE.") from None
    if done.returncode:
        raise StackError(f"openssl made no certificate: {' '.join(done.stderr.split())[-200:]}")
