"""The folder with the certificate that the gateway serves, its key, the account at the authority and what went wrong last.

nginx reads certificate and key anew with each handshake. The key stays the same from one certificate to the next, so
that replacing one file is all that a renewal does, and no handshake ever meets a certificate with the key of another.
"""

import fcntl
import json
import os
import ssl
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FOR_ALL: Final = 0o644


@dataclass(frozen=True, slots=True)
class Held:
    """What a certificate says."""

    names: frozenset[str]
    issuer: str
    self_signed: bool
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failures in a row to get a certificate for one target, and when the next try may be. Times are Unix seconds."""

    target: str = ""
    failures: int = 0
    failed_at: float = 0
    next_try: float = 0
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder. Only its owner may look inside, and its group where the folder hands that on (setgid): nginx, elsewhere."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The chain that is served, PEM."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """Its private key, PEM."""
        return self.folder / "key.pem"

    def seed(self, certificate: bytes, key: bytes) -> None:
        """Put a pair there that is served until the first one comes; one that is there stays."""
        if self.certificate.exists() and self.key.exists():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(self.key, key, self._for_readers())
        self._write(self.certificate, certificate, _FOR_ALL)

    def held(self) -> Held:
        """What is served from here. Raises OSError or ValueError when it can't be read."""
        return read(self.certificate.read_bytes())

    def is_from(self, directory: str) -> bool:
        """Whether what is served came from this authority."""
        try:
            return self._origin.read_text(encoding="utf-8") == directory
        except (OSError, ValueError):
            return False

    def install(self, chain: bytes, directory: str) -> None:
        """Serve this chain, which came from `directory`, from the next handshake on.

        Raises ValueError when it is not for the key that is here, or OpenSSL can't read it to its end, as nginx would have to.
        """
        public = serialization.load_pem_private_key(self.key.read_bytes(), None).public_key()
        if x509.load_pem_x509_certificate(chain).public_key() != public:
            raise ValueError("the certificate is for another key than the one of this gateway")
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".trial.") as trial:
            trial.write(chain)
            trial.flush()
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(trial.name, self.key)
            except ssl.SSLError as error:
                raise ValueError(f"OpenSSL can't read the whole chain ({error.reason or error})") from error
        self._write(self.certificate, chain, _FOR_ALL)
        self._write(self._origin, directory.encode(), 0o600)

    def account_key(self) -> bytes:
        """The private key of the account, PEM; made at the first call."""
        path = self.folder / "account.pem"
        if not path.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            self._write(path, made.private_bytes(*form), 0o600)
        return path.read_bytes()

    def trouble(self, target: str) -> Trouble:
        """What went wrong last with this target; nothing when it never failed, or another one did."""
        try:
            found = Trouble(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Trouble(target)
        return found if found.target == target else Trouble(target)

    def note(self, trouble: Trouble) -> None:
        """Remember it, across restarts."""
        self._write(self._notes, json.dumps(asdict(trouble)).encode(), 0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that two never ask for a certificate at the same time."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _notes(self) -> Path:
        return self.folder / "trouble.json"

    @property
    def _origin(self) -> Path:
        return self.folder / "origin"

    def _for_readers(self) -> int:
        return 0o640 if self.folder.stat().st_mode & stat.S_ISGID else 0o600

    def _write(self, path: Path, content: bytes, mode: int) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def target_of(directory: str, names: Sequence[str]) -> str:
    """What is asked of whom; another one is another attempt, which does not wait for the pause of this one."""
    return " ".join([directory, *sorted(names)])


def read(chain: bytes) -> Held:
    """The facts of the first certificate of a PEM chain. Raises ValueError when there is none."""
    found = x509.load_pem_x509_certificate(chain)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = frozenset(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        dns = frozenset()
    words = [
        str(item.value) for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME) for item in found.issuer.get_attributes_for_oid(oid)
    ]
    return Held(dns, " ".join(words), found.issuer == found.subject, found.not_valid_before_utc, found.not_valid_after_utc)
