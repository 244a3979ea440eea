"""Sending dead letters again: what comes of each is told apart, nothing is given up too early, and repairs only move fields."""

from typing import Any

import orjson
import pytest

from app.clients.dead_letters import Letter
from app.clients.elasticsearch import BulkClient, UnreachableError
from app.core.config import load_settings
from app.shipper.letters.repair import repaired
from app.shipper.letters.replay import PAUSES, Addresses, Outcome, Prepared, ReplayError, Resender

RAW = '{"timestamp":"2026-11-22T02:15:04.123456Z","message":"x"}'

pytestmark = pytest.mark.req("SHP-06", "SHP-08")

Answer = tuple[int, bytes] | Exception


class Elasticsearch(BulkClient):
    """Answers what it is told, and remembers what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[list[bytes]] = []

    def send(self, index: str, body: bytes) -> tuple[int, bytes]:
        """The next answer."""
        self.sent.append(body.splitlines())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def items(*statuses: int) -> Answer:
    """An answer to a bulk request with these statuses."""
    errors = {400: "document_parsing_exception", 409: "version_conflict_engine_exception", 429: "es_rejected_execution_exception"}
    listed = [{"create": {"status": status, **({"error": {"type": errors[status]}} if status in errors else {})}} for status in statuses]
    return 200, orjson.dumps({"errors": any(status > 299 for status in statuses), "items": listed})


def letter(number: int = 1, **fields: Any) -> Letter:
    """A letter of today."""
    return Letter("dead-x-2026.11.22", f"w-{number}", {"raw": RAW, "target_index": "logs-x-2026.11.22", **fields})


def prepared(count: int) -> list[Prepared]:
    """Some that can be sent."""
    return [Prepared(letter(number), "logs-x-2026.11.22", RAW.encode()) for number in range(count)]


def resend(client: Elasticsearch, count: int) -> tuple[list[str], list[float]]:
    """Send some; their fates, and the pauses that were made."""
    pauses: list[float] = []
    return [outcome.fate for outcome in Resender(client, pauses.append).send(prepared(count))], pauses


def test_each_letter_keeps_its_id_and_its_bytes() -> None:
    """The id is what makes a second replay harmless."""
    client = Elasticsearch((200, b'{"errors":false,"took":1}'))
    assert resend(client, 1) == (["stored"], [])
    action, line = client.sent[0]
    assert orjson.loads(action) == {"create": {"_index": "logs-x-2026.11.22", "_id": "w-0"}}
    assert line == RAW.encode()


def test_what_came_of_each_is_told_apart() -> None:
    """Stored, there before, refused."""
    assert resend(Elasticsearch(items(201, 409, 400)), 3)[0] == ["stored", "present", "refused"]


def test_only_what_has_to_wait_is_sent_again() -> None:
    """After a pause; what was taken is not repeated."""
    client = Elasticsearch(items(201, 429), UnreachableError("no"), items(201))
    assert resend(client, 2) == (["stored", "stored"], list(PAUSES[:2]))
    assert [len(lines) for lines in client.sent] == [4, 2, 2]


def test_it_gives_up_after_a_while_with_one_sentence() -> None:
    """The letters stay."""
    with pytest.raises(ReplayError, match="The letters stay"):
        resend(Elasticsearch(*[items(429)] * (len(PAUSES) + 1)), 1)


def test_refused_credentials_are_not_tried_again() -> None:
    """A person has to mend them."""
    client = Elasticsearch((401, b'{"error":{"type":"security_exception"}}'))
    with pytest.raises(ReplayError, match="ELASTICSEARCH_SHIPPER_PASSWORD"):
        resend(client, 1)
    assert len(client.sent) == 1


def test_a_request_that_is_too_large_is_halved() -> None:
    """Down to the letter that is too large by itself."""
    client = Elasticsearch((413, b""), items(201), (413, b""))
    assert resend(client, 2)[0] == ["stored", "refused"]


@pytest.mark.parametrize(
    ("fields", "index"),
    [
        ({}, "logs-x-2026.11.22"),
        ({"target_index": ""}, "logs-nobet-2026.11.22"),
        ({"target_index": "", "segment": "app.w.00000001.events.ndjson"}, "events-nobet-2026.11.22"),
    ],
)
def test_a_record_goes_where_it_was_meant_to_go(fields: dict[str, Any], index: str) -> None:
    """Where the letter does not say it, its own day and stream do."""
    ready = Addresses(load_settings(_env_file=None)).prepare(letter(**fields), repair=False)
    assert isinstance(ready, Prepared)
    assert ready.index == index


@pytest.mark.parametrize("raw", ['{"timestamp":"2026-11-22T02', "no json", "[1]", "", '{"message":"no time"}'])
def test_what_is_no_record_is_not_sent(raw: str) -> None:
    """It would be refused again, or land in no index."""
    ready = Addresses(load_settings(_env_file=None)).prepare(letter(raw=raw, target_index=""), repair=True)
    assert isinstance(ready, Outcome)
    assert not ready.delivered


@pytest.mark.parametrize(
    ("name", "value"), [("user_id", {"id": 1}), ("count", "many"), ("count", 2**70), ("slow", "yes"), ("extra", "text"), ("event_id", "x")]
)
def test_a_repair_moves_what_does_not_fit_and_nothing_else(name: str, value: Any) -> None:
    """Under `extra`, beside what is there; the rest stays as it was."""
    record = {"timestamp": "2026-11-22T02:15:04.123456Z", "message": "x", "status_code": 200, "unknown": [1], name: value}
    line, moved = repaired(orjson.dumps(record).decode() if value != 2**70 else RAW[:-1] + f',"{name}":{value}}}')
    assert moved == (name,)
    kept = orjson.loads(line)
    assert name not in kept or name == "extra"
    assert kept["extra"][name] == pytest.approx(value)
    assert kept["message"] == "x"


def test_a_record_that_fits_stays_byte_for_byte() -> None:
    """Nothing is re-encoded without need."""
    raw = '{"timestamp" : "2026-11-22T02:15:04.123456Z", "extra": {"a": 1}}'
    assert repaired(raw) == (raw.encode(), ())
