"""Brings one batch to Elasticsearch: sends, reads the verdict on each item, repeats, until nothing is left of it.

`deliver` returns only when every line of the batch is indexed or in the
dead-letter index, so that the caller may move the positions. While Elasticsearch
is away or refuses, it waits, with a pause that grows and jitters; it never gives a
line up for that. A document that is refused with 500 again and again while others
are taken becomes a dead letter (`suspects`). Several threads may deliver different batches at once.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from app.clients.elasticsearch import NoAnswerInTimeError, UnreachableError
from app.core import metrics
from app.core.spool_files import SegmentName
from app.shipper.batch import Batch
from app.shipper.deadletters import DeadLetter
from app.shipper.parts import Part, letter_of, letters_part, take_letters
from app.shipper.reports import Reporter
from app.shipper.sizing import BatchSize
from app.shipper.suspects import SUSPECT_STATUS, Suspects, TakenCount
from app.shipper.verdicts import DELIVERED, Verdict, judge_item, judge_request, status_label

FIRST_PAUSE: Final = 0.25
"""Seconds before the first repetition; doubled each time up to the setting's bound."""

BAD_GATEWAY: Final = 502
"""Stands for an answer that says success and isn't one of Elasticsearch's."""

TOO_MUCH: Final = frozenset({413, 429})
"""Answers to a whole request that smaller ones may not get."""

INDEXED: Final = "shipper_records_indexed_total"
DUPLICATE: Final = "shipper_records_duplicate_total"
DEAD: Final = "shipper_records_dead_total"
CORRUPT: Final = "shipper_records_corrupt_total"


class Sender(Protocol):
    """What sends a bulk body: `app.clients.elasticsearch.BulkClient`."""

    def send(self, index: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises UnreachableError."""


@dataclass(slots=True)
class _Delivery:
    """What is still to be done for a batch, and what came of it so far."""

    names: dict[tuple[str, int], SegmentName]
    todo: list[Part]
    letters: list[DeadLetter]
    suspects: Suspects
    counts: Counter[str] = field(default_factory=Counter)
    attempt: int = 0


class Deliverer:
    """Delivers batches. `give_up` ends all waiting: what is not delivered then stays in the spool."""

    def __init__(
        self,
        sender: Sender,
        reporter: Reporter,
        *,
        dead_prefix: str,
        longest_pause: float,
        item_tries: int = 10,
        size: BatchSize | None = None,
        give_up: threading.Event,
        renew_sign_in: Callable[[], None] = lambda: None,
    ) -> None:
        self._sender = sender
        self._reporter = reporter
        self._dead_prefix = dead_prefix
        self._longest_pause = longest_pause
        self._item_tries = item_tries
        self._taken = TakenCount()
        self._size = size or BatchSize(1 << 20, first=1 << 20)
        self._give_up = give_up
        self._renew_sign_in = renew_sign_in
        self._duration = metrics.histogram("shipper_bulk_duration_seconds")
        self._items = metrics.counter("shipper_bulk_items_total")
        self._retries = metrics.counter("shipper_retries_total")

    def deliver(self, batch: Batch) -> Counter[str] | None:
        """Counts by metric when every line has found its place; None when it was told to give up before."""
        names = {(span.segment.name.writer, span.segment.name.sequence): span.segment.name for span in batch.spans}
        todo = [Part(batch.index, batch.body, batch.count)] if batch.count else []
        letters = [
            DeadLetter(reject.segment, reject.offset, reject.raw, reject.reason, error_message=reject.detail) for reject in batch.rejects
        ]
        delivery = _Delivery(names, todo, letters, Suspects(self._taken, self._item_tries))
        while delivery.todo or delivery.letters:
            if not delivery.todo:
                delivery.todo.append(self._pack_letters(delivery.letters))
            verdict = self._send(delivery, delivery.suspects.accompany(self._fitting(delivery)))
            if verdict.action in ("retry", "hold") and not self._pause(delivery, verdict):
                return None
        return +delivery.counts

    def _fitting(self, delivery: _Delivery) -> Part:
        """The next request, cut to the size that the store takes now."""
        part = delivery.todo.pop()
        if part.count > self._size.docs and not part.letters:
            part, rest = part.cut(self._size.docs)
            delivery.todo.append(rest)
        return part

    def _send(self, delivery: _Delivery, part: Part) -> Verdict:
        """One request. Puts back what has to be sent again and returns the verdict that asks for a pause, if one does."""
        started = time.perf_counter()
        try:
            status, answer = self._sender.send(part.index, part.body)
        except UnreachableError as error:
            delivery.todo.append(part)
            if late := isinstance(error, NoAnswerInTimeError):
                self._size.too_many(part.count)
            return self._retry(Verdict("retry", "timeout" if late else "connection", detail=str(error)), 1)
        finally:
            seconds = time.perf_counter() - started
            self._duration.observe(seconds)
        if status == 200 and answer.startswith(b'{"errors":false'):
            self._items.labels("2xx").inc(part.count)
            self._taken.add(part.index)
            self._size.taken(part.count, seconds)
            self._count_delivered(delivery, part, part.count)
            return DELIVERED
        verdicts = _item_verdicts(answer, part.count + part.witnesses) if status == 200 else None
        if verdicts is not None:
            return self._settle_items(delivery, part, verdicts)
        return self._settle_request(delivery, part, judge_request(status if status >= 400 else BAD_GATEWAY, _error_of(answer)))

    def _settle_request(self, delivery: _Delivery, part: Part, verdict: Verdict) -> Verdict:
        if verdict.status == SUSPECT_STATUS and not part.letters and delivery.suspects.refused_whole(part):
            verdict = replace(verdict, action="halve")
        if verdict.status in TOO_MUCH:
            self._size.too_many(part.count)
        if verdict.action != "halve":
            delivery.todo.insert(0, part)  # behind the others: they may get through meanwhile
            return self._retry(verdict, 1)
        if part.count > 1:
            first, second = part.cut(part.count // 2)
            delivery.todo += [second, first]
            return self._retry(verdict, 1)
        reason = verdict.reason if verdict.reason in ("too_large", "server_error") else "rejected"
        return self._settle_items(delivery, part.only([0]), [replace(verdict, action="dead", reason=reason)])

    def _settle_items(self, delivery: _Delivery, part: Part, verdicts: list[Verdict]) -> Verdict:
        self._notice(part, verdicts)
        verdicts = delivery.suspects.judge(part, verdicts)
        again: dict[str, list[int]] = {}
        worst = DELIVERED
        delivered: list[int] = []
        for item, verdict in enumerate(verdicts):
            if verdict.action in ("delivered", "duplicate"):
                delivered.append(item)
            elif verdict.action == "dead" and not part.letters:
                delivery.letters.append(letter_of(part, item, verdict, delivery.names))
            else:
                if verdict.action == "dead":
                    verdict = self._refused_letter(part, item, verdict)
                again.setdefault(verdict.reason, []).append(item)
                worst = verdict if worst.action != "hold" else worst
        if delivered:
            self._count_delivered(delivery, part.only(delivered) if part.letters else part, len(delivered))
            delivery.counts[DUPLICATE] += 0 if part.letters else sum(verdict.action == "duplicate" for verdict in verdicts)
        if again:
            delivery.todo.append(self._repack(part, sorted(item for items in again.values() for item in items)))
            for reason, items in again.items():
                self._retries.labels(reason).inc(len(items))
        return worst

    def _notice(self, part: Part, verdicts: list[Verdict]) -> None:
        """What an answer's items say about the store."""
        for status, count in Counter(status_label(verdict.status) for verdict in verdicts).items():
            self._items.labels(status).inc(count)
        if any(verdict.action in ("delivered", "duplicate") for verdict in verdicts[: part.count]):
            self._taken.add(part.index)
        if any(verdict.reason == "overload" for verdict in verdicts):
            self._size.too_many(part.count)

    def _count_delivered(self, delivery: _Delivery, part: Part, count: int) -> None:
        delivery.attempt = 0
        if part.letters:
            delivery.counts.update(f"{DEAD}:{letter.reason}" for letter in part.letters)
        else:
            delivery.counts[INDEXED] += count
        self._reporter.delivering()

    def _pack_letters(self, letters: list[DeadLetter]) -> Part:
        """Take some letters off the list and make a request of them."""
        taken = take_letters(letters)
        for letter in taken:
            self._reporter.dead_letter(letter.reason, letter.error_message, str(letter.segment))
        return letters_part(taken, self._dead_prefix)

    def _repack(self, part: Part, items: list[int]) -> Part:
        return letters_part([part.letters[item] for item in items], self._dead_prefix) if part.letters else part.only(items)

    def _refused_letter(self, part: Part, item: int, verdict: Verdict) -> Verdict:
        """Even a dead letter was refused. It is the last copy: shorten it when it is too large, else keep on trying."""
        if verdict.reason == "too_large":
            letter = part.letters[item]
            part.letters[item] = replace(letter, raw=letter.raw[: max(1, len(letter.raw) // 2)])
            return replace(verdict, action="retry", reason="too_large")
        return replace(verdict, action="retry", reason="blocked")

    def _retry(self, verdict: Verdict, count: int) -> Verdict:
        self._retries.labels(verdict.reason).inc(count)
        return verdict

    def _pause(self, delivery: _Delivery, verdict: Verdict) -> bool:
        """Report, wait, and say whether to go on."""
        delivery.attempt += 1
        if verdict.action == "hold":
            self._reporter.held(verdict.detail)
        else:
            self._reporter.retrying(verdict.reason, verdict.detail or verdict.error_type, delivery.attempt)
        bound = min(self._longest_pause, FIRST_PAUSE * 2.0 ** min(delivery.attempt - 1, 30))
        if self._give_up.wait(random.uniform(bound / 2, bound)):  # noqa: S311 (jitter, no secret)
            return False
        if verdict.action == "hold":
            self._renew_sign_in()
        return True


def _item_verdicts(answer: bytes, count: int) -> list[Verdict] | None:
    """The verdicts on the items, or None when the answer is not one to this request."""
    try:
        verdicts = [judge_item(item) for item in orjson.loads(answer)["items"]]
    except (ValueError, KeyError, AttributeError, TypeError, StopIteration):
        return None
    return verdicts if len(verdicts) == count else None


def _error_of(answer: bytes) -> Any:
    """The error that an answer names, or the beginning of what it says instead."""
    try:
        return orjson.loads(answer)["error"]
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace")
