"""The oracle: compares what was owed with what the store holds and what the counters say. Knows nothing of how it came about."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SHOWN: Final = 5
"""Examples in a complaint."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What one life of a writer was told is written, and how many more it may have written before it could note it."""

    prefix: str
    count: int
    slack: int
    """1 for a writer that was killed: the last record may be there although nobody was told."""

    def idents(self) -> Iterable[str]:
        """Ids of the obligations."""
        return (f"{self.prefix}-{number}" for number in range(self.count))

    def tolerated(self) -> Iterable[str]:
        """Ids that may be there."""
        return (f"{self.prefix}-{number}" for number in range(self.count, self.count + self.slack))


@dataclass(slots=True)
class Judgement:
    """What the oracle found. Empty lists and no complaint: the promise was kept."""

    records: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    counters: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.doubled or self.invented or self.damaged or self.counters)

    def __str__(self) -> str:
        said = [f"{self.records} records"]
        for name in ("lost", "doubled", "invented", "damaged"):
            found: list[str] = getattr(self, name)
            if found:
                said.append(f"{len(found)} {name}: {', '.join(found[:SHOWN])}")
        return "; ".join([*said, *self.counters])


def judge_documents(
    owed: Iterable[Owed], documents: Iterable[Mapping[str, Any]], is_whole: Callable[[Mapping[str, Any]], bool]
) -> Judgement:
    """Every obligation arrived, once and unharmed, and nothing else did. Documents are found by their `request_id`."""
    obligations: set[str] = set()
    tolerated: set[str] = set()
    for life in owed:
        obligations.update(life.idents())
        tolerated.update(life.tolerated())
    found: Counter[str] = Counter()
    damaged: list[str] = []
    for document in documents:
        found[document["request_id"]] += 1
        if not is_whole(document):
            damaged.append(document["request_id"])
    return Judgement(
        records=len(obligations),
        lost=sorted(obligations - found.keys()),
        doubled=sorted(ident for ident, times in found.items() if times > 1),
        invented=sorted(found.keys() - obligations - tolerated),
        damaged=sorted(damaged),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """What the counters say, and what the store says about the same."""

    emitted: int
    """By the writers, over all their lives."""
    emitted_elsewhere: int
    """Lines that a test put into the spool itself."""
    stored: int
    """Documents of the writers in the store."""
    dead: int
    """Dead letters in the store."""
    dropped: int
    backlog: int
    torn: int
    kills: int
    """Of writers: each may have died between counting a record and writing it."""
    shipper_indexed: int
    shipper_dead: int
    store_indexed: int
    """All log documents, the shipper's own included."""


def judge_counters(counts: Counts) -> list[str]:
    """Complaints where emitted isn't indexed + dead + dropped + backlog, or the shipper counted other than the store holds."""
    said = []
    if counts.shipper_indexed != counts.store_indexed:
        said.append(f"the shipper counted {counts.shipper_indexed} as indexed, the store holds {counts.store_indexed}")
    if counts.shipper_dead != counts.dead:
        said.append(f"the shipper counted {counts.shipper_dead} as dead, the store holds {counts.dead} dead letters")
    residual = counts.emitted + counts.emitted_elsewhere - counts.stored - counts.dead - counts.dropped - counts.backlog
    # A killed writer's last record may be counted and not written, counted and torn, or (a line of the test's own) written and not noted.
    if not -counts.kills <= residual - counts.torn <= counts.kills:
        said.append(
            f"emitted {counts.emitted} + {counts.emitted_elsewhere} is not indexed {counts.stored} + dead {counts.dead} "
            f"+ dropped {counts.dropped} + backlog {counts.backlog} + torn {counts.torn}, after {counts.kills} kills of writers"
        )
    return said
