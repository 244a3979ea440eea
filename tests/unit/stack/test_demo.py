"""The traffic generator's own rules. Its traffic is shown in tests/integration/app and tests/e2e."""

import asyncio
import random
import time
from collections.abc import Callable
from io import StringIO

import httpx
import jwt
import pytest
from pydantic import SecretStr
from rich.console import Console

from app.core.config import load_settings
from app.stack.demo import run
from app.stack.demo.people import Crowd, Sender, expired
from app.stack.demo.report import farewell, listing
from app.stack.demo.scenarios import ALIASES, SCENARIOS
from app.stack.demo.tally import NO_ANSWER, Answer, Tally
from app.stack.demo.troubles import DatabaseLock
from app.stack.demo.visits import Visits
from app.stack.errors import StackError
from app.voice.knobs import Knobs

Answering = Callable[[httpx.Request], httpx.Response]


def visits_to(answer: Answering, tally: Tally) -> tuple[Visits, httpx.AsyncClient]:
    """The visits, to an application that answers so."""
    client = httpx.AsyncClient(base_url="http://127.0.0.1:8000", transport=httpx.MockTransport(answer))
    sender, dice = Sender(client, tally), random.Random(1)
    return Visits(sender, Crowd(sender, dice), dice, "a key of thirty-two characters or more", lambda: False), client


async def play(answer: Answering, *kinds: str) -> Tally:
    """The tally after some visits."""
    tally = Tally()
    visits, client = visits_to(answer, tally)
    async with client:
        for kind in kinds:
            await visits.visit(kind)
    return tally


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_playable(name: str) -> None:
    """It has a rate, an end, a mix of known visits, something to look at, and troubles that the knobs understand."""
    scenario = SCENARIOS[name]
    known = set(visits_to(lambda _: httpx.Response(200), Tally())[0].kinds)
    assert 0 < scenario.rate <= 100
    assert 0 < scenario.minutes <= 60
    assert scenario.look.endswith(".")
    assert set(scenario.mix) <= known
    knobs = Knobs.from_settings(load_settings(_env_file=None, environment="test"))
    for trouble in scenario.troubles:
        assert set(trouble.visits) <= known
        assert knobs.changed(dict(trouble.knobs)) != knobs or trouble.visits or trouble.lock_seconds


def test_former_names_still_play() -> None:
    """Whoever has `make demo SCENARIO=calm` in a script keeps it."""
    assert set(ALIASES.values()) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"scenario": "party"}, "calm-day, evening-peak"),
        ({"rate": 0}, "rate"),
        ({"rate": 1e6}, "at most 100"),
        ({"minutes": -1}, "minutes"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_sentence(arguments: dict[str, object], problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(StackError, match=problem):
        run(**arguments)  # type: ignore[arg-type]


def test_outside_development_nothing_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invented people and faults don't belong into production."""
    staging = load_settings(_env_file=None).model_copy(update={"environment": "staging"})
    monkeypatch.setattr("app.stack.demo.play.load_settings", lambda: staging)
    with pytest.raises(StackError, match="development or test"):
        run("calm-day")


def test_the_tally_counts_and_keeps_the_newest_remarkable_id() -> None:
    """Ordinary successes aren't remarkable; failures are, one id for each kind; surprises are counted apart."""
    tally = Tally()
    for kind, ident, outcome, intended in (
        ("feed", "a", "200", True),
        ("crash", "b", "500", True),
        ("crash", "c", "500", True),
        ("feed", "d", NO_ANSWER, False),
    ):
        tally.add(Answer(kind, ident, outcome, 0.1, intended))
    assert (tally.requests, dict(tally.classes)) == (4, {"2xx": 1, "5xx": 2, NO_ANSWER: 1})
    assert tally.remarkable == {"crash, 500": "c", f"feed, {NO_ANSWER}": "d"}
    assert "unexpected 1" in tally.line()
    assert "p95 100 ms" in tally.line()


def test_an_empty_tally_has_a_line_too() -> None:
    """Before the first answer."""
    assert "0 requests" in Tally().line()


def test_an_absent_endpoint_is_said_once_and_left_out() -> None:
    """An application without calls gets no calls, and a visitor reads the feed instead."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/feed":
            return httpx.Response(200, json={"posts": [], "next_before": None})
        return httpx.Response(404, json={"detail": "Not Found", "request_id": "x"})

    tally = asyncio.run(play(answer, "graphql", "graphql", "suggest"))
    assert [note.split(".")[0] for note in tally.notes] == ["Left out: graphql", "Left out: suggest"]
    assert tally.kinds == {"feed": {"200": 1}}


def test_a_missing_thing_is_no_missing_endpoint() -> None:
    """A post that was deleted is an answer that readers get."""
    tally = asyncio.run(play(lambda _: httpx.Response(404, json={"detail": "There is no post 1."}), "read", "missing"))
    assert not tally.unintended
    assert tally.kinds == {"read": {"404": 1}, "missing": {"404": 1}}


def test_what_nobody_came_for_is_unintended() -> None:
    """A feed that fails, a wrong password that is let in, a server that does not answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/suggest":
            raise httpx.ConnectError("gone")
        return httpx.Response(503 if request.url.path == "/feed" else 200, json={})

    tally = asyncio.run(play(answer, "feed", "wrong_password", "suggest"))
    assert set(tally.unintended) == {("feed", "503"), ("wrong_password", "200"), ("suggest", NO_ANSWER)}
    console = Console(file=StringIO(), width=100)
    console.print(farewell(tally, SCENARIOS["calm-day"]))
    assert "Not what they came for" in console.file.getvalue()  # type: ignore[attr-defined]


def test_wrong_passwords_stay_rare() -> None:
    """However high the rate, no alert about a burst comes of it, and real people on this machine are not locked out."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401 if request.url.path.endswith("login") else 200, json={"posts": [], "next_before": None})

    tally = asyncio.run(play(answer, *["wrong_password"] * 50))
    assert tally.kinds["wrong_password"] == {"401": 1}


def test_an_expired_token_is_the_same_token_in_the_past() -> None:
    """Genuine but for its time."""
    key = "a key of thirty-two characters or more"
    token = jwt.encode({"sub": "42", "exp": time.time() + 60, "iat": time.time()}, key, "HS256")
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(expired(token, key), key, ["HS256"])
    assert jwt.decode(expired(token, key), key, ["HS256"], options={"verify_exp": False})["sub"] == "42"


@pytest.mark.parametrize(
    ("environment", "url", "reason"),
    [
        ("production", "postgresql+asyncpg://nobet:x@127.0.0.1:5432/nobet", "development or test"),
        ("test", "sqlite+aiosqlite:///./nobet.db", "no PostgreSQL"),
        ("test", "postgresql+asyncpg://nobet:x@db.example.org:5432/nobet", "not on this machine"),
    ],
)
def test_only_a_database_for_trying_out_is_locked(environment: str, url: str, reason: str) -> None:
    """Not in production, not elsewhere; nothing is connected to."""
    settings = load_settings(_env_file=None).model_copy(update={"environment": environment, "database_url": SecretStr(url)})
    assert reason in str(asyncio.run(DatabaseLock(settings).hold(1, asyncio.Event())))


@pytest.mark.parametrize("width", [80, 160])
def test_the_list_fits_the_terminal(width: int) -> None:
    """Every scenario with its sentence."""
    console = Console(file=StringIO(), width=width)
    console.print(listing())
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(name in text for name in SCENARIOS)
    assert max(len(line) for line in text.splitlines()) <= width
