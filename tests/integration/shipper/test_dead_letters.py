"""`python -m app.shipper.letters`: what Elasticsearch refused is looked at, sent again, or deleted; case 12 from end to end."""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from app.shipper.letters.__main__ import main
from tests.support.producing import record_of
from tests.support.shipping import ARRIVAL_SECONDS, Shipping
from tests.support.waiting import wait_until

pytestmark = pytest.mark.req("SHP-06", "SHP-08")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Letters:
    """The command with the rights that `nobet` gives it, in this process: a dozen starts of Python would take longer than the rest."""

    def __init__(self, shipping: Shipping, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(shipping.spool)  # not in the checkout, which may have an `.env`
        for name, value in (shipping.environment | {"ELASTICSEARCH_CLEANUP_PASSWORD": shipping.stack.sign_in("cleanup")[1]}).items():
            monkeypatch.setenv(name, value)

    def __call__(self, *words: str, **variables: str) -> Done:
        """Run one, with further variables."""
        self._capsys.readouterr()
        with self._monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            code = main(list(words))
        printed = self._capsys.readouterr()
        return Done(code, printed.out, printed.err)

    def found(self, *words: str) -> Any:
        """What one prints as JSON."""
        done = self(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def letters(shipping: Shipping, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Letters:
    """Ready to be called."""
    return Letters(shipping, monkeypatch, capsys)


def bury(shipping: Shipping, letters: Letters, **fields: Any) -> str:
    """Ship a record that its index refuses, between two good ones; returns the id of its letter."""
    shipping.producer.write()
    line = orjson.dumps({**record_of("bad"), **fields})
    assert shipping.producer._writer.append(line + b"\n")
    shipping.producer.write()
    shipping.start()
    shipping.check_oracle(dead=1)
    (letter,) = letters.found("list")["letters"]
    assert letter["raw"] == line.decode()
    return str(letter["id"])


def mend(shipping: Shipping) -> None:
    """Let the template take any user_id, as a changed contract does, and today's index go, so that it is made anew from it."""
    found = shipping.admin.indices.get_index_template(name=shipping.prefix).body["index_templates"][0]["index_template"]
    found["template"]["mappings"]["properties"]["user_id"] = {"type": "object", "enabled": False}
    kept = {key: found[key] for key in ("index_patterns", "priority", "template")}
    shipping.admin.indices.put_index_template(name=shipping.prefix, **kept)
    shipping.admin.indices.delete(index=list(shipping.admin.indices.get(index=f"{shipping.prefix}-*", features="aliases").body))


@pytest.mark.timeout(400)
def test_a_refused_record_is_stored_when_the_mapping_is_mended(shipping: Shipping, letters: Letters) -> None:
    """Case 12: refused again it stays and says why; when the mapping is mended it is stored once, under its own id; the letter goes."""
    ident = bury(shipping, letters, request_id="bad-1", user_id={"id": 1})
    again = letters("replay")
    assert again.returncode == 1
    assert re.search(r"1 letter was refused again: .*user_id", again.stdout), again.stdout
    assert "Nothing was stored; 1 letter left." in again.stdout
    assert len(shipping.dead_letters()) == 1

    mend(shipping)
    done = letters("replay", ident)
    assert (done.returncode, done.stdout) == (0, "1 record is in Elasticsearch; 0 letters left.\n"), done.stderr
    assert shipping.dead_letters() == []
    shipping.count()
    (document,) = shipping.admin.search(index=f"{shipping.prefix}-*", query={"ids": {"values": [ident]}})["hits"]["hits"]
    assert document["_source"]["user_id"] == {"id": 1}
    assert letters("replay").stdout == "No dead letters. There is nothing to replay.\n"


@pytest.mark.timeout(400)
def test_a_repair_stores_what_no_mapping_takes(shipping: Shipping, letters: Letters) -> None:
    """`--repair` puts the field that does not fit under `extra`, where it is found; a dry run says so and changes nothing."""
    ident = bury(shipping, letters, request_id="bad-2", user_id={"id": 1}, extra={"kept": "x"})
    plan = letters("replay", "--repair", "--dry-run")
    assert "Under `extra` would go: user_id (1)" in plan.stdout
    assert len(shipping.dead_letters()) == 1

    assert letters("replay", "--repair", ident).returncode == 0
    shipping.count()
    (document,) = shipping.documents(request_id="bad-2")
    assert document["extra"] == {"kept": "x", "user_id": {"id": 1}}
    assert shipping.count(shipping.dead) == 0
    assert len(shipping.documents(**{"extra.user_id.id": "1"})) == 1


@pytest.mark.timeout(400)
def test_a_replay_that_was_cut_off_stores_a_record_once(shipping: Shipping, letters: Letters) -> None:
    """Killed after Elasticsearch took the record and before the letter went: the next replay finds it there and lets the letter go."""
    ident = bury(shipping, letters, request_id="bad-3", user_id={"id": 1})
    (letter,) = shipping.dead_letters()
    shipping.admin.create(index=letter["target_index"], id=ident, document={**record_of("bad"), "request_id": "bad-3"}, refresh=True)
    done = letters("replay", "--repair")
    assert done.stdout == "1 record is in Elasticsearch, 1 of them from before; 0 letters left.\n"
    assert len(shipping.documents(request_id="bad-3")) == 1
    assert shipping.count(shipping.dead) == 0


@pytest.mark.timeout(400)
def test_letters_are_chosen_shown_and_dropped(shipping: Shipping, letters: Letters) -> None:
    """Filters choose, `show` has the whole line, nothing is deleted without being named, and damaged lines can't be replayed."""
    for number in range(3):
        assert shipping.producer._writer.append(b'{"timestamp":"2026-11-2%dT02:15:04.123456Z","message": broken\n' % number)
    ident = bury_among(shipping, letters, service_name="voice", user_id={"id": 1})
    assert letters.found("list")["by_reason"] == {"malformed": 3, "rejected": 1}
    assert [letter["id"] for letter in letters.found("list", "--service=voice")["letters"]] == [ident]
    assert letters.found("list", "--day=2026-11-21")["count"] == 1
    assert letters("list", "--reason=odd").returncode == 2

    shown = letters("show", ident)
    assert "rejected" in shown.stdout
    assert '"service_name": "voice"' in shown.stdout
    assert letters("show", "nobody").returncode == 1
    stuck = letters("replay", "--reason=malformed")
    assert (stuck.returncode, "3 letters can't be sent" in stuck.stdout) == (1, True), stuck.stdout

    assert letters("drop").returncode == 2
    assert "3 letters: 3 malformed would go" in letters("drop", "--reason=malformed", "--dry-run").stdout
    assert shipping.count(shipping.dead) == 4
    assert letters("drop", "--reason=malformed").stdout == "3 letters deleted.\n"
    assert [letter["reason"] for letter in shipping.dead_letters()] == ["rejected"]
    (told,) = wait_until("the record of it", lambda: shipping.events("dead_letters.dropped"), ARRIVAL_SECONDS)
    assert told["count"] == 3


def bury_among(shipping: Shipping, letters: Letters, **fields: Any) -> str:
    """Ship a refused record beside three damaged lines."""
    assert shipping.producer._writer.append(orjson.dumps({**record_of("bad"), **fields}) + b"\n")
    shipping.start()
    shipping.check_oracle(dead=4)
    return str(letters.found("list", "--reason=rejected")["letters"][0]["id"])


@pytest.mark.timeout(200)
def test_a_failure_is_one_sentence(shipping: Shipping, letters: Letters) -> None:
    """Nobody to ask, or no right to: exit code 1 and one sentence that names the setting."""
    away = letters("list", ELASTICSEARCH_URL="http://127.0.0.1:9")
    assert (away.returncode, away.stderr.count("\n")) == (1, 1)
    assert "ELASTICSEARCH_URL" in away.stderr
    refused = letters("list", ELASTICSEARCH_CLEANUP_PASSWORD="wrong")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "ELASTICSEARCH_CLEANUP_PASSWORD" in refused.stderr
