"""A TCP proxy between a client and a server that can misbehave in the middle."""

import socket
import threading
from types import TracebackType
from typing import Final, Literal, Self

Mode = Literal["pass", "hold_answers", "refuse", "black_hole"]
"""pass: all through · hold_answers: requests reach the server, answers stay here ·
refuse: connections are closed at once · black_hole: bytes go nowhere, connections stay open."""

_PIECE: Final = 65536


class FaultProxy:
    """Listens on a port of its own for as long as the block lasts."""

    def __init__(self, host: str, port: int) -> None:
        self._target: Final = (host, port)
        self._listener: Final = socket.create_server(("127.0.0.1", 0))
        self._changed: Final = threading.Condition()
        self._mode: Mode = "pass"
        self._held = 0
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self.url: Final = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def set_mode(self, mode: Mode) -> None:
        """Behave so from now on, connections that are open included."""
        with self._changed:
            self._mode = mode
            self._changed.notify_all()
        if mode == "refuse":
            self.cut()

    @property
    def held(self) -> int:
        """Bytes of answers that the server gave and nobody got."""
        return self._held

    def cut(self) -> None:
        """Close every connection."""
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "refuse":
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._sockets |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, "request"), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, "answer"), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, kind: str) -> None:
        try:
            while data := source.recv(_PIECE):
                if kind == "answer" and self._mode == "hold_answers":
                    self._held += len(data)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._lets_through(kind))
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                self._sockets.discard(end)
                end.close()

    def _lets_through(self, kind: str) -> bool:
        return self._mode != "black_hole" and not (kind == "answer" and self._mode == "hold_answers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        self.set_mode("refuse")
        self._listener.close()
