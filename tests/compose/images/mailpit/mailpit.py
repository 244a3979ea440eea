#!/usr/bin/python3
"""Stands in for Mailpit: takes every mail, keeps the last MP_MAX_MESSAGES in memory, lists them, sends none on."""

import asyncio
import collections
import email
import email.policy
import json
import os
import sys
import threading
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAILS: collections.deque[dict[str, object]] = collections.deque(maxlen=int(os.environ.get("MP_MAX_MESSAGES", "500")))


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One SMTP conversation: no sign-in, no encryption, every recipient is welcome."""

    def say(line: str) -> None:
        writer.write(f"{line}\r\n".encode())

    say("220 inbox ESMTP")
    recipients: list[str] = []
    while line := (await reader.readline()).decode(errors="replace").strip():
        verb = line[:4].upper()
        if verb == "RCPT":
            recipients.append(line.partition(":")[2].strip().strip("<>"))
        if verb == "DATA":
            say("354 go on")
            keep((await reader.readuntil(b"\r\n.\r\n"))[:-5], recipients)
            recipients = []
        say("221 bye" if verb == "QUIT" else "250 inbox" if verb in ("EHLO", "HELO") else "250 ok")
        await writer.drain()
        if verb == "QUIT":
            break
    writer.close()


def keep(data: bytes, recipients: list[str]) -> None:
    """Store a mail in the shape in which Mailpit's API lists it."""
    mail = email.message_from_bytes(data.replace(b"\r\n..", b"\r\n."), policy=email.policy.default)
    body = mail.get_body(("plain", "html"))
    MAILS.appendleft(
        {
            "ID": uuid.uuid4().hex,
            "Subject": str(mail["Subject"] or ""),
            "From": {"Address": str(mail["From"] or "")},
            "To": [{"Address": address} for address in recipients],
            "Text": body.get_content() if body else "",
        }
    )


class Pages(BaseHTTPRequestHandler):
    """`/readyz`, `/livez` and the reading calls of the API."""

    def do_GET(self) -> None:
        """Answer by path."""
        status, body = _page(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet, like the real one."""


def _page(path: str) -> tuple[int, bytes]:
    if path in ("/", "/readyz", "/livez"):
        return 200, b"ok"
    if path == "/api/v1/info":
        return 200, json.dumps({"Version": "stand-in", "Messages": len(MAILS)}).encode()
    if path == "/api/v1/messages":
        return 200, json.dumps({"total": len(MAILS), "messages": list(MAILS)}).encode()
    found = [mail for mail in MAILS if path == f"/api/v1/message/{mail['ID']}"]
    return (200, json.dumps(found[0]).encode()) if found else (404, b"not found")


async def main() -> None:
    """Serve both ports until the container ends."""
    threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", 8025), Pages).serve_forever, daemon=True).start()
    server = await asyncio.start_server(converse, "0.0.0.0", 1025)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["readyz"]:
        urllib.request.urlopen("http://127.0.0.1:8025/readyz", timeout=4)
    else:
        asyncio.run(main())
