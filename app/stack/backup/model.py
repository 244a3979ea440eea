"""What a backup is made of: parts, and the manifest that lists them."""

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from app.core.sealed import Digest
from app.stack.backup.sealed import Key
from app.stack.errors import StackError

FORMAT: Final = 1
"""Version of the manifest and of what the parts hold."""


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed file: what is in it, and how to tell that it still is."""

    store: str
    name: str
    """Which piece of the store it is, such as an index."""
    file: str
    size: int
    sha256: str
    file_size: int
    file_sha256: str
    counts: dict[str, int] = field(default_factory=dict)
    """What was counted while it was saved, and is counted again after a restore."""
    identity: str = ""
    """The same as long as the content is: a later backup takes such a part over instead of reading it again."""

    @property
    def digest(self) -> Digest:
        """What reading it back has to give."""
        return Digest(self.size, self.sha256, self.file_size, self.file_sha256)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    name: str
    created_at: str
    """ISO 8601, UTC; when the backup began."""
    mode: str
    app_version: str
    recipient: str
    seconds: float
    versions: dict[str, str]
    """Server → the version that it said it is."""
    parts: tuple[Part, ...]
    format: int = FORMAT

    @property
    def file_size(self) -> int:
        """Bytes of all parts on disk. Parts that several backups share count in each."""
        return sum(part.file_size for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes of all parts before compression."""
        return sum(part.size for part in self.parts)

    @property
    def age(self) -> dt.timedelta:
        """How old it is."""
        return dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(self.created_at)

    def of(self, store: str) -> list[Part]:
        """The parts of one store."""
        return [part for part in self.parts if part.store == store]

    def total(self, store: str, count: str = "") -> int:
        """The sum of one count over all parts of a store; of all counts without a name."""
        return sum(number for part in self.of(store) for name, number in part.counts.items() if count in ("", name))


def dump_manifest(manifest: Manifest, key: Key) -> str:
    """The manifest as text, with the proof that who has the key wrote it."""
    content = asdict(manifest)
    return json.dumps({**content, "proof": key.proof(_canonical(content))}, indent=1) + "\n"


def load_manifest(text: str, where: str, key: Key | None = None) -> Manifest:
    """The manifest of a text. With a key its proof is checked, too. Raises StackError, which names `where`."""
    try:
        content: dict[str, Any] = json.loads(text)
        proof = str(content.pop("proof"))
        known = content["format"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StackError(f"{where} can't be read as a manifest. The backup is damaged.") from None
    if known != FORMAT:
        raise StackError(f"{where} has format {known}, and this version reads {FORMAT}. Use the version that wrote it.")
    if key is not None and content.get("recipient") != key.recipient:
        raise StackError(
            "This backup is sealed for another key. Give the one of the stack that made it: --key-file FILE (its .env does, too)."
        )
    if key is not None and key.proof(_canonical(content)) != proof:
        raise StackError(f"{where} was changed after it was written. Don't trust this backup; take another one.")
    try:
        return Manifest(**{**content, "parts": tuple(Part(**part) for part in content["parts"])})
    except TypeError:
        raise StackError(f"{where} can't be read as a manifest. The backup is damaged.") from None


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
