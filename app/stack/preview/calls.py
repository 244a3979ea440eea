"""Which requests the page may make to the servers behind it: those that read, by name; anything else is refused.

A search names the indices that it looks into. That line is ours: a page can't ask for indices that are not its source's.
"""

import re
from dataclasses import dataclass
from typing import Final

import orjson

from app.stack.preview.sources import Source

LARGEST_BODY: Final = 1024 * 1024
"""Bytes. The longest query of a dashboard is a few kilobytes."""

MOST_SEARCHES: Final = 50
"""In one call; a panel has a handful of queries."""

_ALLOWED: Final = {
    "prometheus": {
        "POST": re.compile(r"api/v1/(query|query_range|query_exemplars|series|labels)"),
        "GET": re.compile(r"api/v1/(query|query_range|query_exemplars|series|labels|label/[A-Za-z_][A-Za-z0-9_]*/values)"),
    },
    "elasticsearch": {"POST": re.compile(r"_msearch")},
    "jaeger": {"GET": re.compile(r"api/(traces|traces/[0-9a-f]{1,32}|services|services/[^/?#.%]{1,100}/operations)")},
    "alertmanager": {"GET": re.compile(r"api/v2/(alerts|alerts/groups|silences)")},
}


class RefusedError(Exception):
    """The request is not one of those that are let through. One sentence that says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a server behind the page."""

    method: str
    url: str
    body: bytes
    content_type: str


def call_of(source: Source, method: str, path: str, query: str, body: bytes, content_type: str) -> Call:
    """The request that is made for the page's own. Raises RefusedError."""
    allowed = _ALLOWED.get(source.kind, {}).get(method)
    if allowed is None or not allowed.fullmatch(path):
        raise RefusedError(f"The preview reads only: {method} {path} is not a call that {source.name} answers here.")
    if source.kind == "elasticsearch":
        return Call(method, f"{source.url}/{path}", _searches(body, str(source.options["index"])), "application/x-ndjson")
    address = f"{source.url}/{path}" + (f"?{query}" if query else "")
    return Call(method, address, body, content_type or "application/x-www-form-urlencoded")


def _searches(body: bytes, index: str) -> bytes:
    """The searches of a multi-search, each with the source's own index in its header."""
    header = orjson.dumps({"index": index, "ignore_unavailable": True, "allow_no_indices": True})
    try:
        searches = [orjson.loads(line) for line in body.splitlines() if line.strip()][1::2]
    except orjson.JSONDecodeError:
        raise RefusedError("The search is not made of lines of JSON.") from None
    if not 0 < len(searches) <= MOST_SEARCHES or not all(isinstance(search, dict) for search in searches):
        raise RefusedError(f"A call has one to {MOST_SEARCHES} searches, each with a header line before it.")
    return b"".join(header + b"\n" + orjson.dumps(search) + b"\n" for search in searches)
