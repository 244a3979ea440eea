"""Keeps the certificate fresh: looks at what is served, asks for another in time, remembers what went wrong."""

import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.core.config import Settings
from app.core.logger import get_logger
from app.stack.acme.client import CHALLENGE_PATH, Order, OrderError, challenge_folder, obtain
from app.stack.acme.schedule import after_failure, renewal_of
from app.stack.acme.shelf import Held, Shelf, Trouble, read, target_of
from app.stack.gateway.sites import hosts
from app.stack.paths import CHECKOUT

_LOOK_SECONDS: Final = 60.0
_DOOR_SECONDS: Final = 3.0
"""Pause between two looks whether the gateway serves challenges; also how long it may take to answer."""

_PROBE: Final = "nobet-is-this-served"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Keeper:
    """One certificate and the authority that it comes from."""

    settings: Settings
    shelf: Shelf
    web_root: Path
    gateway: str
    """The gateway's plain HTTP, as this process reaches it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the gateway serves."""
        return hosts(self.settings.gateway_host)

    @property
    def trouble(self) -> Trouble:
        """What went wrong last; no failures when all is well. What a clock that was ahead has noted counts for nothing."""
        target = target_of(self.settings.gateway_acme_directory, self.names)
        found = self.shelf.trouble(target)
        return found if found.failed_at <= time.time() + _LOOK_SECONDS else Trouble(target)

    def held(self) -> Held | None:
        """What is served now; None when that can't be read."""
        try:
            return self.shelf.held()
        except (OSError, ValueError):
            return None

    def next_order(self) -> float:
        """When the authority will be asked next, Unix seconds; in the past when it is due."""
        return max(self.renewal(), self.trouble.next_try)

    def renewal(self) -> float:
        """When what is served should be replaced, Unix seconds; 0 when it never was the one that is wanted."""
        held = self.held()
        if held is None or not self.shelf.is_from(self.settings.gateway_acme_directory):
            return 0.0
        return renewal_of(held, self.names).timestamp()

    def renew(self, *, force: bool = False) -> None:
        """Get a certificate if it is due; with `force` whatever the schedule says. Raises OrderError, which is noted and logged."""
        with self.shelf.locked():  # whoever had to wait for another looks again
            if force or self.next_order() <= time.time():
                self._renew()

    def serves_challenges(self) -> bool:
        """Whether the gateway hands out what is put into the web root. Asking the authority earlier would be a failure on our account."""
        folder, text = self.web_root / CHALLENGE_PATH, str(time.time_ns())
        name = f"{_PROBE}-{os.getpid()}"  # somebody may ask by hand at the same time
        try:
            challenge_folder(self.web_root)
            (folder / name).write_text(text, encoding="ascii")
            (folder / name).chmod(0o644)
            # No proxy: the way is inside this machine.
            with build_opener(ProxyHandler({})).open(f"{self.gateway}/{CHALLENGE_PATH}/{name}", timeout=_DOOR_SECONDS) as answer:
                return bool(answer.read(100).decode("ascii", "replace") == text)
        except (OSError, HTTPException):
            return False
        finally:
            with suppress(OSError):
                (folder / name).unlink()

    def _renew(self) -> None:
        before, chosen = self.trouble, self.settings
        # Before anybody is asked: a kill, a full disk or a fault on the way must not become an order a minute. What comes replaces it.
        self.shelf.note(after_failure(before, "The last try did not come to its end.", time.time()))
        try:
            key, account_key = self._keys()
            order = Order(
                directory=chosen.gateway_acme_directory,
                email=chosen.gateway_acme_email,
                names=self.names,
                key=key,
                account_key=account_key,
                web_root=self.web_root,
                ca=_ca(chosen.gateway_acme_ca),
            )
            self._install(obtain(order))
        except OrderError as error:
            noted = after_failure(before, str(error), time.time())
            self.shelf.note(noted)
            log.error(
                "No certificate for the gateway; the one that is served stays",
                event="certificate.failed", reason=noted.sentence, count=noted.failures,
                extra={"next_try": _stamp(noted.next_try)},
            )  # fmt: skip
            raise
        self.shelf.note(Trouble(before.target))
        log.info(
            "The gateway serves a new certificate",
            event="certificate.issued", count=len(self.names), extra={"ends": self.shelf.held().ends.isoformat()},
        )  # fmt: skip

    def _keys(self) -> tuple[bytes, bytes]:
        """Of the certificate and of the account, PEM."""
        try:
            pair = self.shelf.key.read_bytes(), self.shelf.account_key()
            for key in pair:
                load_pem_private_key(key, None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            words = " ".join(str(error).split())[:100]
            advice = "stop the stack, remove that folder, make up."
            raise OrderError(f"A key in {self.shelf.folder} can't be used ({words}): {advice}") from error
        return pair

    def _install(self, chain: bytes) -> None:
        try:
            if renewal_of(read(chain), self.names).timestamp() < time.time():
                raise ValueError("it is self-signed, lacks a name or ends at once")
            self.shelf.install(chain, self.settings.gateway_acme_directory)
        except ValueError as error:
            raise OrderError(f"What the authority sent can't be served: {error}.") from error


class Round:
    """Looks again and again until told to stop."""

    def __init__(self, keeper: Keeper, stop: threading.Event) -> None:
        self._keeper: Final = keeper
        self._stop: Final = stop
        self._busy = False
        self._alive_at = time.monotonic()

    def run(self) -> None:
        """Until `stop`. A fault is logged and costs one look."""
        while not self._stop.is_set():
            pause = _LOOK_SECONDS
            try:
                pause = self.look()
            except Exception:
                log.exception("Keeping the certificate has a fault", event="error.raised")
            self._alive_at = time.monotonic()
            self._stop.wait(pause)

    def look(self) -> float:
        """Renew when it is time; seconds until the next look."""
        left = self._keeper.next_order() - time.time()
        if left > 0:
            return min(left, _LOOK_SECONDS)
        if not self._keeper.serves_challenges():
            return _DOOR_SECONDS
        self._busy = True
        try:
            self._keeper.renew()
        except OrderError:
            pass  # noted: the next order waits for the end of the pause
        finally:
            self._busy = False
        return max(1.0, min(self._keeper.next_order() - time.time(), _LOOK_SECONDS))

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the loop goes round. A refused certificate is no reason to start the process anew."""
        turning = self._busy or time.monotonic() - self._alive_at < 2 * _LOOK_SECONDS
        return turning, {"status": "ok" if turning else "degraded", "checks": {"loop": "ok" if turning else "error: the loop stands still"}}


def _ca(chosen: Path | None) -> Path | None:
    """The file with the authorities to trust; an empty one, as containers get where none is set, means the public ones."""
    path = CHECKOUT / chosen if chosen else None
    if path is None:
        return None
    try:
        return path if path.stat().st_size else None
    except OSError as error:
        raise OrderError(f"GATEWAY_ACME_CA: can't read {chosen}: {error.strerror}. Correct the path, or unset it.") from None


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(math.ceil(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")
