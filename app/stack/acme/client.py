"""One order at an ACME server: account, order, answers to its challenges over HTTP (http-01), certificate."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC

CHALLENGE_PATH: Final = ".well-known/acme-challenge"
"""Below the web root; RFC 8555, 8.3."""

_ORDER_SECONDS: Final = 180
"""An authority that hasn't decided by then is asked anew later."""

_CALL_SECONDS: Final = 30
_NONCE_TRIES: Final = 5
_LONGEST_SENTENCE: Final = 2000
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


class OrderError(Exception):
    """No certificate; the message is one sentence that says why, and what to do where that is known.

    Much of it may be the authority's own words: they end on a terminal, so nothing that a terminal would obey stays in them.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(letter if letter.isprintable() else " " for letter in sentence)[:_LONGEST_SENTENCE])


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, of whom."""

    directory: str
    email: str
    names: tuple[str, ...]
    key: bytes
    """Private key of the certificate, PEM."""
    account_key: bytes
    """Private key of the account, PEM; an elliptic curve, P-256."""
    web_root: Path
    """What is here is served under every name, over plain HTTP on port 80."""
    ca: Path | None = None
    """Whom to trust for the server's own TLS; None: the public authorities."""


def obtain(order: Order) -> bytes:
    """The certificate and its chain, PEM. Raises OrderError. Asks the server's terms no more than having an account does: it agrees."""
    host = urlsplit(order.directory).netloc.rpartition("@")[2]
    try:
        return _obtain(order)
    except errors.ValidationError as error:
        raise OrderError(_refusals(error)) from error
    except errors.IssuanceError as error:
        raise OrderError(f"{host} refuses: {_words_of(error.error)}") from error
    except messages.Error as error:
        raise OrderError(f"{host} refuses: {_words_of(error)}") from error
    except errors.TimeoutError as error:
        raise OrderError(f"{host} has not decided within {_ORDER_SECONDS} s.") from error
    except requests.exceptions.SSLError as error:
        raise OrderError(
            f"The certificate of {host} itself can't be verified. A private authority: name its CA file in "
            "GATEWAY_ACME_CA, then make up and nobet certificate renew --force."
        ) from error
    except (requests.exceptions.RequestException, errors.Error, JoseError, ValueError, KeyError, OverflowError, OSError) as error:
        words = " ".join(str(error).split())[:200]
        raise OrderError(f"{host} can't be asked: {words or type(error).__name__}") from error


def challenge_folder(web_root: Path) -> Path:
    """The folder of the answers; made, and readable for whoever serves it, where it is missing."""
    folder = web_root / CHALLENGE_PATH
    for part in (web_root, folder.parent, folder):
        if not part.exists():
            part.mkdir()
            part.chmod(0o755)  # whatever the umask is
    return folder


class _Network(client.ClientNetwork):
    """Tries again with a new nonce as long as the server refuses the old one; the library does so once."""

    def post(self, *given: Any, **named: Any) -> requests.Response:
        for _ in range(_NONCE_TRIES):
            try:
                return super().post(*given, **named)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*given, **named)


def _obtain(order: Order) -> bytes:
    account_key = cast(ec.EllipticCurvePrivateKey, load_pem_private_key(order.account_key, None))
    jwk = JWKEC(key=account_key)
    network = _Network(jwk, alg=ES256, user_agent="nobet", timeout=_CALL_SECONDS)
    # The library hands this on to requests, which takes a file as well as a yes.
    network.verify_ssl = str(order.ca) if order.ca else True  # type: ignore[assignment]
    server = client.ClientV2(client.ClientV2.get_directory(order.directory, network), network)
    _sign_in(server, order.email)
    asked = server.new_order(crypto_util.make_csr(order.key, list(order.names)))
    deadline = dt.datetime.now() + dt.timedelta(seconds=_ORDER_SECONDS)  # noqa: DTZ005 (what the library compares it with)
    with _answers(order.web_root) as answer:
        for authorization in asked.authorizations:
            if authorization.body.status != messages.STATUS_VALID:
                wanted = _by_http(authorization)
                response, text = wanted.response_and_validation(jwk)
                answer(wanted.chall.encode("token"), text)
                server.answer_challenge(wanted, response)
        chain = server.poll_and_finalize(asked, deadline).fullchain_pem
    return chain.encode()


def _sign_in(server: client.ClientV2, email: str) -> None:
    wanted = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)
    try:
        server.new_account(wanted)
    except errors.ConflictError as known:
        server.query_registration(messages.RegistrationResource(body=wanted, uri=known.location))


def _by_http(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    name = authorization.body.identifier.value
    for offered in authorization.body.challenges:
        if isinstance(offered.chall, challenges.HTTP01):
            # It becomes a file name, and it is the server that chose it.
            if not _TOKEN.fullmatch(offered.chall.encode("token")):
                raise OrderError(f"The challenge for {name} has a token that is none.")
            return offered
    raise OrderError(f"The authority offers no challenge over HTTP for {name}.")


@contextmanager
def _answers(web_root: Path) -> Iterator[Any]:
    """Puts answers where the gateway serves them, and takes them away in the end."""
    folder = challenge_folder(web_root)
    written: list[Path] = []

    def answer(token: str, text: str) -> None:
        path = folder / token
        written.append(path)
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)

    try:
        yield answer
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def _words_of(error: messages.Error) -> str:
    return str(error.detail or error.description or error.code)


def _refusals(error: errors.ValidationError) -> str:
    """Name → the authority's own words, for each name that it could not verify."""
    said = {}
    for authorization in error.failed_authzrs:
        words = [offered.error.detail for offered in authorization.body.challenges if offered.error is not None]
        said[authorization.body.identifier.value] = " ".join(" ".join(filter(None, words)).split())[:200]
    listed = "; ".join(f"{name}: {words.rstrip('.')}" for name, words in said.items())
    return f"Not verified: {listed}. Let each name lead to this machine, and port 80 to the gateway."
