"""TLS handshakes with the gateway: what it shows, and whether somebody who trusts one authority alone is content."""

import socket
import ssl

from cryptography import x509


def served(port: int, name: str, address: str = "127.0.0.1") -> x509.Certificate:
    """The certificate that a client is shown who checks nothing."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return x509.load_der_x509_certificate(_shown(context, port, name, address))


def is_trusted(root: str, port: int, name: str, address: str = "127.0.0.1") -> bool:
    """Whether the chain leads to this root certificate (PEM), holds now, and is for this name."""
    try:
        _shown(ssl.create_default_context(cadata=root), port, name, address)
    except ssl.SSLError:
        return False
    return True


def _shown(context: ssl.SSLContext, port: int, name: str, address: str) -> bytes:
    here = socket.create_connection((address, port), timeout=30)
    with here, context.wrap_socket(here, server_hostname=name) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""
