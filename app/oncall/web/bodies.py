"""Reading what somebody sends, who need not have signed in: so much and for so long, and no more."""

import asyncio
from typing import Final

from fastapi import HTTPException, Request

BODY_SECONDS: Final = 20.0
"""A sender that takes longer is cut off, so that slow ones can't pile up."""


async def read_body(request: Request, longest: int) -> bytes:
    """The body, as long as it is not too long and comes in time; no more of it than that is ever kept."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > longest:
                    raise HTTPException(413, "The body is too large.")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, "The body did not arrive in time.") from None
    return b"".join(parts)
