"""Bulk requests in the making: lines of a batch, or dead letters, that can be taken apart and sent again in pieces."""

from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from app.core.spool_files import SegmentName
from app.shipper.deadletters import DeadLetter, is_json
from app.shipper.verdicts import Verdict

LETTERS_BYTES: Final = 1024 * 1024
"""Raw bytes of dead letters in one request; escaping can make them six times as long."""

_NAMED_INDEX: Final = b'{"create":{"_index":"'


@dataclass(slots=True)
class Part:
    """A bulk request: pairs of lines, action and document."""

    index: str
    body: bytes
    count: int
    letters: list[DeadLetter] = field(default_factory=list)
    """The dead letters in it, when it is made of those."""
    witnesses: int = 0
    """Items behind the counted ones that are stored already, sent along to see whether the index still takes documents."""
    refusals: int = 0
    """Times that the whole request was answered with 500 while the index took others."""
    seen: int = -1
    """What `TakenCount` said about the index at the last of them."""

    def only(self, items: list[int]) -> "Part":
        """The same with some of its items, without witnesses."""
        lines = self.body.split(b"\n")
        kept = [lines[2 * item + half] for item in items for half in (0, 1)]
        return Part(self.index, b"\n".join([*kept, b""]), len(items), [self.letters[item] for item in items] if self.letters else [])

    def cut(self, size: int) -> tuple["Part", "Part"]:
        """The first `size` items, and the rest."""
        return self.only(list(range(size))), self.only(list(range(size, self.count)))

    def with_witnesses(self, lines: list[bytes]) -> "Part":
        """The same, and pairs of lines that are stored already."""
        return replace(self, body=self.body + b"".join(lines), witnesses=len(lines))


def letter_of(part: Part, item: int, verdict: Verdict, names: dict[tuple[str, int], SegmentName]) -> DeadLetter:
    """The dead letter that an item of a request becomes; `names` finds its segment by writer and sequence."""
    action, raw = part.body.split(b"\n")[2 * item : 2 * item + 2]
    create = orjson.loads(action)["create"]
    writer, sequence, offset = create["_id"].rsplit("-", 2)
    return DeadLetter(
        names[writer, int(sequence)],
        int(offset, 16),
        raw,
        verdict.reason if verdict.reason != "rejected" or is_json(raw) else "malformed",
        verdict.status,
        verdict.error_type,
        verdict.detail,
        create.get("_index", part.index),
    )


def letters_part(letters: list[DeadLetter], dead_prefix: str) -> Part:
    """A request made of dead letters."""
    indices = [letter.index(dead_prefix) for letter in letters]
    body = b"".join(letter.lines(index) for letter, index in zip(letters, indices, strict=True))
    return Part(indices[0], body, len(letters), letters)


def take_letters(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Take so many off the list as fit one request."""
    taken: list[DeadLetter] = []
    size = 0
    while letters and (not taken or size + len(letters[0].raw) <= LETTERS_BYTES):
        letter = letters.pop(0)
        taken.append(letter)
        size += len(letter.raw)
    return taken


def index_of(action: bytes, default: str) -> str:
    """The index that an action line names, or the request's."""
    return str(orjson.loads(action)["create"]["_index"]) if action.startswith(_NAMED_INDEX) else default
