"""A mail server that keeps what it gets, for tests of Alertmanager's mails. It speaks just enough SMTP (RFC 5321)."""

import socketserver
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Self


class SmtpInbox(socketserver.ThreadingTCPServer):
    """Listens on a free loopback port while used as a context manager; `messages` grows with each mail."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        """On a port of one's choice, for one that comes back."""
        super().__init__(("127.0.0.1", port), _Session)
        self.messages: list[EmailMessage] = []

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    """One connection."""

    server: SmtpInbox

    def handle(self) -> None:
        self._say("220 inbox")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self._say("221 bye")
                return
            if verb == b"DATA":
                self._say("354 go on")
                self.server.messages.append(message_from_bytes(self._body(), policy=default))
            self._say("250 ok")

    def _body(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) and line != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
