"""The way in from outside: gateway → app, and what must not come out that way."""

import datetime as dt
import ssl
import subprocess
from typing import Final

import httpx

from app.stack.choose import choose
from app.stack.doctor.asking import TIMEOUT_SECONDS, NoAnswerError
from app.stack.doctor.errand import PATH
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Finding, Scene
from app.stack.doctor.running import log_of, start_again, unanswered
from app.stack.gateway.served import address_of, served_certificate
from app.stack.mode import Mode

DAYS_LEFT: Final = 7
"""A certificate that ends sooner was not renewed in time: ACME renews when a third of its life is left, 30 days of 90."""


def gateway(scene: Scene) -> list[Finding]:
    """A request reaches the app through the gateway, /metrics does not come out, and the certificate holds."""
    skipped = choose(scene.stack, strict=False).skipped if scene.mode is Mode.NATIVE else {}
    if "gateway" in skipped:
        return note(f"No gateway here: {skipped['gateway']}.", "Install it and run `make up` again.")
    try:
        answer, measured = _through(scene, PATH), _through(scene, "/metrics")
        ends = _certificate_ends(scene)
    except NoAnswerError as error:
        return unanswered(scene, "gateway", "The gateway does not answer, so nobody outside reaches the app.", error)
    found: list[Finding] = []
    if answer.status_code in (502, 504):
        found += problem(
            f"The gateway answers {answer.status_code}.",
            "It can't reach the app, which does not run or hangs.",
            f"{start_again(scene, 'app')}; {log_of(scene, 'gateway')}",
        )
    if measured.status_code == 200:
        found += problem(
            "The gateway gives /metrics to everybody.",
            "Its configuration was changed by hand, or another server answers at its port.",
            "`make up` writes the configuration again.",
        )
    left = (ends - dt.datetime.now(dt.UTC)).days
    if left < DAYS_LEFT:
        found += problem(
            f"The gateway's certificate {'ends in ' + str(left) + ' days' if left >= 0 else 'has ended'}.",
            "Nobody renewed it.",
            "`nobet certificate` says who renews it and what went wrong; one of our own is made anew by `make up`.",
        )
    return found or ok(f"A request went through the gateway to the app; /metrics stays inside; the certificate holds {left} days.")


def _through(scene: Scene, path: str) -> httpx.Response:
    """The answer over TLS. The certificate is our own by default, and the way is this machine's, so it is not checked."""
    url = f"https://{address_of(scene.stack)}:{scene.stack.port('gateway_tls')}"
    host = scene.stack.settings.gateway_host
    try:
        return httpx.get(url + path, headers={"Host": host}, timeout=TIMEOUT_SECONDS, verify=_unchecked(), trust_env=False)
    except httpx.ConnectError:
        raise NoAnswerError(f"nothing listens at {url}", absent=True) from None
    except httpx.HTTPError as error:
        raise NoAnswerError(f"the server at {url} did not answer ({type(error).__name__})") from None


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificate_ends(scene: Scene) -> dt.datetime:
    """When the certificate that is shown to clients ends. openssl reads it, as it makes our own."""
    try:
        text = served_certificate(scene.stack)
    except OSError as error:
        raise NoAnswerError(f"the gateway breaks off the TLS handshake ({type(error).__name__})") from None
    command = ["openssl", "x509", "-noout", "-enddate"]
    try:
        done = subprocess.run(command, input=text.decode(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        raise NoAnswerError("its certificate can't be read: openssl is missing or refuses it") from None
    return dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(done.stdout.strip().partition("=")[2]), dt.UTC)
