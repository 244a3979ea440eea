"""Readiness: asked of small servers that answer as the real ones do."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from app.core.ports import LOOPBACK
from app.stack.bring_up import BringUp
from app.stack.choose import Chosen
from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.listeners import free_offset
from app.stack.model import Component, Http, Own, Postgres, Redis, Tcp
from app.stack.probes import ask
from app.stack.stack import Stack
from app.stack.supervisor import Process, Supervisor
from tests.unit.stack.conftest import OpenStack


@pytest.fixture
def shifted(open_at: OpenStack) -> Stack:
    """A stack whose ports are all free."""
    return open_at(STACK_PORT_OFFSET=str(free_offset()))


@contextmanager
def _server(port: int, answer: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """Answers each message on one connection at a time; yields what it was sent."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                while message := connection.recv(4096):
                    heard.append(message)
                    connection.sendall(answer(message))
                    if not message.startswith((b"AUTH", b"PING")):
                        break

    with socket.create_server((LOOPBACK, port)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_nothing_there_is_said_with_the_port(shifted: Stack) -> None:
    """A closed port is a reason, not an exception."""
    assert ask(Tcp("redis"), shifted) == f"nothing listens on port {shifted.port('redis')}"


@pytest.mark.parametrize(("status", "reason"), [("200 OK", ""), ("503 Service Unavailable", "GET /health answered 503")])
def test_only_200_is_ready(shifted: Stack, status: str, reason: str) -> None:
    """An HTTP server that answers otherwise is up, but not ready."""
    with _server(shifted.port("app"), lambda _: f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()):
        assert ask(Http("app", "/health"), shifted) == reason


def test_an_elasticsearch_probe_signs_in(shifted: Stack) -> None:
    """The question carries the user's credentials in a header."""
    with _server(shifted.port("elasticsearch"), lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as heard:
        assert not ask(Http("elasticsearch", "/", user="nobet_exporter"), shifted)
    assert b"Authorization: Basic " in heard[0]


def test_postgres_in_recovery_is_not_ready(shifted: Stack) -> None:
    """While PostgreSQL replays its log it takes connections and refuses them with a reason; that reason is passed on."""
    refusal = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    with _server(shifted.port("postgres"), lambda _: b"E" + (len(refusal) + 4).to_bytes(4, "big") + refusal):
        assert ask(Postgres("postgres"), shifted) == "the database system is starting up"


def test_postgres_that_asks_for_a_password_is_ready(shifted: Stack) -> None:
    """The probe needs no password of its own."""
    with _server(shifted.port("postgres"), lambda _: b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"):
        assert not ask(Postgres("postgres"), shifted)


def test_redis_that_loads_its_data_is_not_ready(shifted: Stack) -> None:
    """Redis answers before its data is there; the answer says so."""
    answers = {b"AUTH": b"+OK\r\n", b"PING": b"-LOADING Redis is loading the dataset in memory\r\n"}
    with _server(shifted.port("redis"), lambda message: answers[message[:4]]):
        assert "LOADING" in ask(Redis("redis"), shifted)


class _Told(Supervisor):
    """A supervisor that tells what it was given to tell."""

    def __init__(self, stack: Stack, *answers: Process) -> None:
        super().__init__(stack.paths)
        self._answers = list(answers)

    def processes(self) -> dict[str, Process]:
        """The next answer; the last one for ever."""
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return {found.name: found}


def _slow(ready_seconds: float = 0.3) -> Component:
    return Component("slow", "Slow server", (Own("app"),), (), ("redis",), Tcp("redis"), ready_seconds=ready_seconds)


def test_a_time_out_names_component_limit_reason_and_log(shifted: Stack) -> None:
    """Who waits in vain is told for whom, how long, why, and what the log says at its end."""
    shifted.paths.log_file("slow").write_text("first\nbinding failed: no such device\n")
    supervisor = _Told(shifted, Process("slow", "RUNNING", 7, 0, 9, ""))
    with pytest.raises(StackError) as caught:
        BringUp(shifted, supervisor).wait_ready(Chosen(_slow(), Own("app")), lambda *_: None)
    sentence = str(caught.value)
    assert sentence.startswith(f"Slow server was not ready within 0 s: nothing listens on port {shifted.port('redis')}. ")
    assert str(shifted.paths.log_file("slow")) in sentence
    assert sentence.endswith("binding failed: no such device")


def test_a_crash_loop_ends_the_wait_early(shifted: Stack) -> None:
    """A program that keeps dying is reported at once, with its last words, not after the whole time-out."""
    shifted.paths.log_file("slow").write_text("panic: bad flag\n")
    deaths = [Process("slow", "STARTING", pid, 0, 9, "") for pid in range(1, 9)]
    with pytest.raises(StackError, match=r"Slow server keeps ending right after its start(.|\n)*panic: bad flag"):
        BringUp(shifted, _Told(shifted, *deaths)).wait_ready(Chosen(_slow(60), Own("app")), lambda *_: None)


def test_ready_is_not_believed_of_a_stopped_program(shifted: Stack) -> None:
    """When a stranger answers on the port while our program is down, the component is not ready."""
    supervisor = _Told(shifted, Process("slow", "FATAL", 0, 0, 9, ""))
    with (
        socket.create_server((LOOPBACK, shifted.port("redis"))),
        pytest.raises(StackError, match="keeps ending right after its start"),
    ):
        BringUp(shifted, supervisor).wait_ready(Chosen(_slow(), Own("app")), lambda *_: None)


def test_every_component_has_a_probe_with_a_limit() -> None:
    """No start can wait without end."""
    assert all(0 < component.ready_seconds <= 300 for component in COMPONENTS.values())
