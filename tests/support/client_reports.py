"""How a simulated client's reports leave the device: kept while it is offline, sent later with their original time."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport

LOG_LINES: Final = 64
"""Crashlytics keeps the newest log lines and shows them with the next error."""

SEND_SECONDS: Final = 30
"""An upload that is given up is made once more with the next report only, and then it may arrive twice."""


class PatientTransport(HttpTransport):
    """Sends envelopes of the SDK, or keeps them while there is no network, as the SDKs for phones do on disk."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self._held: list[Envelope] = []
        self._online = True

    def set_online(self, online: bool) -> None:
        """Keep from now on, or send what was kept."""
        self._online = online
        if online:
            held, self._held = self._held, []
            for envelope in held:
                super().capture_envelope(envelope)

    def capture_envelope(self, envelope: Envelope) -> None:
        """Take one envelope; what is in it has its time already."""
        if self._online:
            super().capture_envelope(envelope)
        else:
            self._held.append(envelope)


class CrashlyticsClient:
    """Reports to the stand-in for Crashlytics in batches, from a thread of its own, so that no action waits for it."""

    def __init__(self, url: str) -> None:
        self.online = True
        self._url: Final = url
        self._pending: list[dict[str, Any]] = []
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._lock: Final = threading.Lock()
        self._sender: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="crashlytics")

    def log(self, text: str, event_id: str) -> None:
        """A log line: a record of its own, and shown with the next error."""
        self._lines.append(text)
        self._add({"kind": "log", "event_id": event_id, "message": text})

    def record_error(self, error: BaseException, stack: str, event_id: str, *, fatal: bool) -> None:
        """An error with its stack and the log lines before it."""
        what = {"type": type(error).__name__, "message": str(error), "stack": stack, "fatal": fatal}
        self._add({"kind": "error", "event_id": event_id, "logs": list(self._lines), **what})

    def set_online(self, online: bool) -> None:
        """Keep reports from now on, or send what was kept."""
        self.online = online
        self._sender.submit(self._upload)

    def close(self) -> None:
        """Wait until what could be sent is sent."""
        self._sender.shutdown(wait=True)

    def _add(self, record: dict[str, Any]) -> None:
        if self._url:
            with self._lock:
                self._pending.append({"timestamp": datetime.now(UTC).isoformat(), **record})
            self._sender.submit(self._upload)

    def _upload(self) -> None:
        """All that is pending in one request; kept for the next time when that fails."""
        with self._lock:
            batch, self._pending = (self._pending, []) if self.online else ([], self._pending)
        if not batch:
            return
        with suppress(httpx.HTTPError):
            httpx.post(self._url, json=batch, timeout=SEND_SECONDS, trust_env=False).raise_for_status()
            return
        with self._lock:
            self._pending = [*batch, *self._pending]
