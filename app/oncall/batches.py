"""Messages that go out together: of one kind, to one contact, in the same try."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.oncall.store import Row


@dataclass(slots=True)
class Batch:
    """Messages of one kind to one contact."""

    kind: str
    contact: str
    person: str
    attempt: int
    """Counts claims, so it tells this claim from every other one."""
    claimed_at: float
    notifications: list[Row] = field(default_factory=list)
    incidents: list[Row] = field(default_factory=list)

    def part(self, start: int, end: int | None = None) -> "Batch":
        """Some of it."""
        some = slice(start, end)
        return replace(self, notifications=self.notifications[some], incidents=self.incidents[some])


def batches(claimed: Sequence[Row], incidents: Mapping[str, Row], now: float, largest: Callable[[str], int]) -> list[Batch]:
    """What was claimed at `now`, put together; `largest` is how many a contact takes at most in one batch.

    The contacts that are tried next may differ within a batch.
    """
    found: dict[tuple[str, str, int], Batch] = {}
    for row in claimed:
        key, attempt = (row["kind"], row["contact"], row["attempts"]), row["attempts"] + 1
        batch = found.setdefault(key, Batch(row["kind"], row["contact"], row["person"], attempt, now))
        batch.notifications.append(row)
        batch.incidents.append(incidents[row["incident_id"]])
    parts: list[Batch] = []
    for batch in found.values():
        step = largest(batch.contact)
        parts += [batch.part(start, start + step) for start in range(0, len(batch.notifications), step)]
    return parts
