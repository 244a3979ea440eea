"""FAULTS 23 and 24: replicas of the on-call service over one PostgreSQL, killed at random, lose no page and send none twice for nothing."""

import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.integration.oncall.conftest import MakeReplicas
from tests.support.oncall import Phone, Replica, Told, alert, escalation
from tests.support.servers import Postgres
from tests.support.waiting import wait_until

pytestmark = pytest.mark.req("ALD-03", "ALD-08")

KILLS = int(os.environ.get("ONCALL_KILLS", "40"))
ALERTS = 60
CLAIM_SECONDS = 8.0
PATIENCE = 90


def as_alertmanager(replicas: list[Replica], chance: random.Random, *alerts: dict[str, Any], until: float = 60) -> None:
    """Post to one replica, and again, here or there, until one has it: what Alertmanager does."""

    def taken() -> bool:
        return chance.choice(replicas).post(*alerts, timeout=5).status_code == 202

    wait_until("a replica takes the webhook", taken, until)


def repeats(told: list[Told]) -> list[tuple[Told, Told]]:
    """Each page that came again, with the time that it came before."""
    by_page: dict[tuple[str, int, str], list[Told]] = {}
    for each in sorted(told, key=lambda one: one.at):
        by_page.setdefault((each.what, each.episode, each.kind), []).append(each)
    return [pair for pages in by_page.values() for pair in pairwise(pages)]


def test_forty_kills_of_either_replica_lose_no_page_and_repeat_none_without_a_kill(replicas: MakeReplicas, postgres: Postgres) -> None:
    """Each alert reaches both levels of its escalation; a page that comes twice was on its way when a replica died."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed {seed}, {KILLS} kills")
    chance, kills = random.Random(seed), list[float]()
    with Phone(seed, slowest=0.3) as phone:
        team = replicas(escalation([phone.contact("one")], [phone.contact("two")], wait="3s"), claim=CLAIM_SECONDS, attempt=5.0)
        pair = [team.new(), team.new()]
        for replica in pair:
            replica.wait()
        names = [f"Kill{number:02d}" for number in range(ALERTS)]

        def post_all() -> None:
            mine = random.Random(seed + 1)
            for name in names:
                webhook = alert(name)
                for _ in range(mine.choice((1, 1, 2))):
                    as_alertmanager(pair, mine, webhook)

        poster = threading.Thread(target=post_all)
        poster.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.5))  # the fault itself: when it comes is what is random
            victim = chance.choice(pair)
            victim.kill()
            kills.append(time.time())
            victim.start()
            if chance.random() < 0.5:  # else the next kill may come while it starts
                victim.wait()
        poster.join()
        for replica in pair:
            replica.wait()
        expected = {f"/{place} {name}" for place in ("one", "two") for name in names}
        wait_until("every page has come", lambda: expected <= set(phone.pages()), PATIENCE)
        wait_until("nothing waits to be sent", lambda: all_sent(postgres), PATIENCE)
    assert set(phone.pages()) == expected
    unexplained = [(one, two) for one, two in repeats(phone.told) if not any(one.at - 1 <= kill <= two.at for kill in kills)]
    assert unexplained == [], f"seed {seed}"
    print(f"{len(kills)} kills, {len(expected)} pages, {len(repeats(phone.told))} of them twice")
    assert len(repeats(phone.told)) <= 2 * len(kills)


def all_sent(postgres: Postgres) -> bool:
    """Whether no message is on its way or waits to be tried again."""
    return postgres.ask("SELECT count(*) FROM oncall_notifications WHERE state <> 'sent'") == "0"


def test_without_kills_two_replicas_send_each_page_once(replicas: MakeReplicas, postgres: Postgres) -> None:
    """They share the work over the database: 40 incidents, told to both replicas at once, two levels, 80 pages."""
    with Phone(slowest=0.05) as phone:
        team = replicas(escalation([phone.contact("one")], [phone.contact("two")], wait="2s"))
        pair = [team.new(), team.new()]
        for replica in pair:
            replica.wait()
        alerts = [alert(f"Calm{number:02d}") for number in range(40)]
        at_once([partial(one.post, *alerts) for one in pair])
        wait_until("all pages of both levels", lambda: len(phone.pages()) == 80, PATIENCE)
        wait_until("nothing waits to be sent", lambda: all_sent(postgres), PATIENCE)
        assert set(phone.pages().values()) == {1}


def test_a_process_killed_between_claim_and_sending_swallows_no_page(replicas: MakeReplicas, postgres: Postgres) -> None:
    """The page is claimed and on its way when the only replica dies; another one sends it once the claim has run out, once."""
    with Phone() as phone:
        team = replicas(escalation([phone.contact()]), claim=4.0, attempt=3.0)
        phone.hang = threading.Event()
        first = team.new().wait()
        assert first.post(alert("HalfSent")).status_code == 202
        wait_until("the page is on its way", phone.hanging.is_set, 30)
        first.kill()
        phone.hang.set()
        phone.hang = None
        team.new().wait()
        wait_until("the page arrives", lambda: phone.pages()["/ HalfSent"], PATIENCE)
        wait_until("it is marked", lambda: all_sent(postgres), PATIENCE)
        assert phone.pages() == {"/ HalfSent": 1}


def at_once(calls: list[Callable[[], httpx.Response]]) -> list[int]:
    """Make all calls at the same moment; their status codes."""
    barrier, codes = threading.Barrier(len(calls)), list[int]()

    def work(call: Callable[[], httpx.Response]) -> None:
        barrier.wait()
        codes.append(call().status_code)

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_the_same_webhook_twenty_times_at_once_is_one_incident_and_one_page(replicas: MakeReplicas, postgres: Postgres) -> None:
    """FAULTS 23, at two replicas: each answers 202, or 503 when it is too much at once; one incident, one alert, one page."""
    with Phone() as phone:
        team = replicas(escalation([phone.contact()]))
        pair = [team.new(), team.new()]
        for replica in pair:
            replica.wait()
        told = alert("Same")
        codes = at_once([partial(pair[number % 2].post, told) for number in range(20)])
        assert set(codes) <= {202, 503}
        assert 202 in codes
        wait_until("the page", lambda: phone.pages()["/ Same"], PATIENCE)
        wait_until("it is marked", lambda: all_sent(postgres), PATIENCE)
        assert (len(pair[0].incidents()), postgres.ask("SELECT count(*) FROM oncall_alerts")) == (1, "1")
        assert phone.pages() == {"/ Same": 1}


def test_an_end_that_overtakes_its_beginning_leaves_nothing_open(replicas: MakeReplicas) -> None:
    """FAULTS 23: beginning and end of ten alerts at the same moment at two replicas, in whatever order: ten incidents, all over."""
    with Phone() as phone:
        team = replicas(escalation([phone.contact()]), PROMETHEUS_URL=f"http://{phone.address}")
        pair = [team.new(), team.new()]
        for replica in pair:
            replica.wait()
        now = time.time() - 60
        chance = random.Random(1)
        for number in range(10):
            names = [alert(f"Swift{number}", firing=firing, started=now) for firing in (True, False)]
            at_once([partial(as_taken, pair, chance, one) for one in names])
        wait_until("all are over", lambda: {found["state"] for found in pair[0].incidents()} == {"resolved"}, 60)
        assert len(pair[0].incidents()) == 10


def as_taken(pair: list[Replica], chance: random.Random, told: dict[str, Any]) -> httpx.Response:
    """Post to either."""
    return chance.choice(pair).post(told)
