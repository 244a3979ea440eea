"""A TCP proxy between a client and a server that can misbehave in the middle, also in the server's name."""

import random
import re
import socket
import threading
from types import TracebackType
from typing import Final, Literal, Self, get_args

Mode = Literal[
    "pass", "hold_answers", "refuse", "black_hole", "half_open", "cut_answers", "cut_requests", "delay", "answer_429", "answer_503"
]
"""pass: all through · hold_answers: requests reach the server, answers stay here · refuse: connections are closed at once ·
black_hole: bytes go nowhere for now, connections stay open · half_open: connections of before are dead for ever and nobody is told ·
cut_answers, cut_requests: half of a piece, then the connection ends · delay: each piece takes a while ·
answer_429, answer_503: a full answer from here, the request never reaches the server."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)

_PIECE: Final = 65536
_LONGEST_DELAY: Final = 0.3
_REQUEST: Final = re.compile(rb"(?:POST|GET|PUT|HEAD|DELETE) /")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CANNED: Final = {
    "answer_429": (b"429 Too Many Requests", b'{"error":{"type":"es_rejected_execution_exception","reason":"queue is full"},"status":429}'),
    "answer_503": (b"503 Service Unavailable", b'{"error":{"type":"unavailable_shards_exception","reason":"not now"},"status":503}'),
}


class _Link:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client: Final = client
        self.server: Final = server
        self.dead = False
        self.request = b""

    def cut(self) -> None:
        """End it, so that both sides see it."""
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class FaultProxy:
    """Listens on a port of its own, at the address `at`, for as long as the block lasts."""

    def __init__(self, host: str, port: int, *, at: str = "127.0.0.1") -> None:
        self._target: Final = (host, port)
        self._listener: Final = socket.create_server((at, 0))
        self._changed: Final = threading.Condition()
        self._mode: Mode = "pass"
        self._held = 0
        self._closed = False
        self._links: set[_Link] = set()
        self.faults = 0
        """Pieces, answers and connections that were spoilt so far."""
        self.url: Final = f"http://{at}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def set_mode(self, mode: Mode) -> None:
        """Behave so from now on, connections that are open included."""
        with self._changed:
            self._mode = mode
            if mode == "half_open":
                for link in self._links:
                    link.dead = True
                self.faults += len(self._links)
            self._changed.notify_all()
        if mode == "refuse":
            self.cut()

    @property
    def held(self) -> int:
        """Bytes of answers that the server gave and nobody got."""
        return self._held

    def cut(self) -> None:
        """Close every connection."""
        for link in list(self._links):
            link.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "refuse":
                self.faults += 1
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(client, server)
            with self._changed:
                self._links.add(link)
            threading.Thread(target=self._pump, args=(link, "request"), daemon=True).start()
            threading.Thread(target=self._pump, args=(link, "answer"), daemon=True).start()

    def _pump(self, link: _Link, kind: str) -> None:
        source, sink = (link.client, link.server) if kind == "request" else (link.server, link.client)
        try:
            while data := source.recv(_PIECE):
                if kind == "answer" and self._mode == "hold_answers":
                    self._held += len(data)
                with self._changed:
                    if not self._lets_through(link, kind):
                        self.faults += 1
                    self._changed.wait_for(lambda: self._closed or self._lets_through(link, kind))
                    if self._mode == "delay":
                        self.faults += 1
                        self._changed.wait(random.uniform(0, _LONGEST_DELAY))
                if not self._pass_on(link, kind, sink, data):
                    break
        except OSError:
            pass
        finally:
            with self._changed:
                self._links.discard(link)
            link.cut()
            source.close()

    def _pass_on(self, link: _Link, kind: str, sink: socket.socket, data: bytes) -> bool:
        """Bring a piece to the other side, or do what the mode says instead. False ends the connection."""
        if kind == "request" and (link.request or self._mode in _CANNED):
            return self._answer(link, data)
        if self._mode == f"cut_{kind}s":
            self.faults += 1
            sink.sendall(data[: len(data) // 2])
            return False
        sink.sendall(data)
        return True

    def _answer(self, link: _Link, data: bytes) -> bool:
        """Answer a request in the server's name once it is there as a whole; a connection in the middle of one ends."""
        link.request += data
        if self._mode not in _CANNED or not _REQUEST.match(link.request):
            return False
        head, _, body = link.request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if len(body) < (int(length[1]) if length else 0):
            return True
        link.request = b""
        self.faults += 1
        status, text = _CANNED[self._mode]
        headers = b"content-type: application/json\r\nX-Elastic-Product: Elasticsearch\r\ncontent-length: %d" % len(text)
        link.client.sendall(b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, headers, text))
        return True

    def _lets_through(self, link: _Link, kind: str) -> bool:
        return not link.dead and self._mode != "black_hole" and not (kind == "answer" and self._mode == "hold_answers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        self.set_mode("refuse")
        self._listener.close()
