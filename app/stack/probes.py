"""Asks a server whether it is ready. Short, and without a client library for each."""

import base64
import http.client
import socket
import struct
from typing import Final

from app.core.ports import LOOPBACK
from app.stack.model import Http, Postgres, Probe, Redis, Tcp
from app.stack.secret_files import password_of
from app.stack.stack import Stack

_SECONDS: Final = 3.0
"""How long one question may take. A ready server on the same machine needs milliseconds."""


def ask(probe: Probe, stack: Stack) -> str:
    """Why the server is not ready, as a clause; empty when it is. Never raises for what a server does."""
    port = stack.port(probe.port)
    try:
        match probe:
            case Http():
                return _http(port, probe, stack)
            case Tcp():
                with _connect(port):
                    return ""
            case Postgres():
                return _postgres(port)
            case Redis():
                return _redis(port, stack.secret("REDIS_PASSWORD"))
    except TimeoutError:
        return f"port {port} did not answer in {_SECONDS:.0f} s"
    except ConnectionRefusedError:
        return f"nothing listens on port {port}"
    except (OSError, http.client.HTTPException) as error:
        return f"port {port}: {error or type(error).__name__}"


def _connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=_SECONDS)


def _http(port: int, probe: Http, stack: Stack) -> str:
    headers = {}
    if probe.user:
        pair = f"{probe.user}:{stack.secret(password_of(probe.user))}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
    try:
        connection.request("GET", probe.path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return "" if answer.status == 200 else f"GET {probe.path} answered {answer.status}"


def _postgres(port: int) -> str:
    """Send a start-up message; 'R' asks for the password, 'E' carries the reason for a refusal."""
    parameters = b"user\0nobet\0database\0nobet\0\0"
    message = struct.pack("!II", 8 + len(parameters), 196608) + parameters  # 196608: protocol 3.0
    with _connect(port) as connection:
        connection.sendall(message)
        answer = connection.recv(1024)
    if answer[:1] == b"R":
        return ""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in answer[5:].split(b"\0") if field}
    return fields.get(b"M", "closed the connection")


def _redis(port: int, password: str) -> str:
    with _connect(port) as connection:
        if password:
            connection.sendall(b"AUTH %s\r\n" % password.encode())
            refusal = connection.recv(256)
            if not refusal.startswith(b"+OK"):
                return refusal.decode(errors="replace").strip()
        connection.sendall(b"PING\r\n")
        answer = connection.recv(256)
    return "" if answer.startswith(b"+PONG") else answer.decode(errors="replace").strip()
