"""The certificate that the running gateway shows to its clients."""

import ssl
from typing import Final

from app.core.ports import LOOPBACK
from app.stack.stack import Stack

_SECONDS: Final = 5.0


def address_of(stack: Stack) -> str:
    """Where the gateway can be reached from this machine."""
    bound = stack.settings.gateway_bind
    return LOOPBACK if bound in ("", "0.0.0.0") else bound


def served_certificate(stack: Stack) -> bytes:
    """PEM, without the rest of the chain. Raises OSError when nobody answers, or not with TLS."""
    return ssl.get_server_certificate((address_of(stack), stack.port("gateway_tls")), timeout=_SECONDS).encode()
