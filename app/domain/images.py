"""Generated images, profile pictures and banners.

The image model is simulated: a picture is drawn from a seed, so that only the
seed is stored. What it was asked to show goes into the seed together with
chance, so that nobody can find it out again; it is neither stored nor logged.
"""

import hashlib
import secrets
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from app.core import metrics, tracing
from app.core.analytics import track_event
from app.core.logger import get_logger
from app.db import images
from app.db.engine import Database
from app.db.models import Image

Model = Literal["flux", "sdxl"]
Size = Literal["256x256", "512x512", "1024x1024"]

PICTURE: Final = (128, 128)
BANNER: Final = (1200, 400)
CELLS: Final = 8
"""Cells along the shorter side of a picture."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A PNG and the name of its content."""

    png: bytes
    etag: str


async def generate_image(database: Database, owner_id: str, prompt: str, model: Model, size: Size) -> Image:
    """Make an image for a user. It can be fetched when this returns."""
    seed = _digest(f"{secrets.token_hex(16)} {model} {prompt}")
    with tracing.span("image.generate", **{"nobet.model": model, "nobet.size": size}):
        async with database.session() as session:
            image = await images.add(session, owner_id, model, size, seed)
    metrics.counter("images_generated_total").labels(model=model).inc()
    log.info("Image generated", event="image.generated", user_id=owner_id, image_id=str(image.id), model=model, size=size)
    track_event(owner_id, "image_generated", {"model": model, "size": size})
    return image


async def read_image(database: Database, image_id: int) -> Drawing | None:
    """The image of that id, or None."""
    async with database.session() as session:
        image = await images.find(session, image_id)
    if image is None:
        log.info("There is no such image", event="image.missing", image_id=str(image_id))
        return None
    width, height = image.size.split("x")
    return draw(image.seed, int(width), int(height))


def profile_picture(user_id: str) -> Drawing:
    """The picture of a user."""
    return draw(_digest(f"picture {user_id}"), *PICTURE)


def profile_banner(user_id: str) -> Drawing:
    """The banner of a user."""
    return draw(_digest(f"banner {user_id}"), *BANNER)


@lru_cache(maxsize=128)
def draw(seed: str, width: int, height: int) -> Drawing:
    """A symmetric pattern of cells in two colours, as an indexed PNG. Keeps the last 128 that were asked for."""
    digest = hashlib.sha256(seed.encode()).digest()
    cell = min(width, height) // CELLS
    columns, rows = -(-width // cell), CELLS
    lines = []
    for row in range(rows):
        bits = [digest[(row * 11 + min(column, columns - 1 - column)) % len(digest)] & 1 for column in range(columns)]
        line = b"\x00" + b"".join(bytes([bit]) * cell for bit in bits)[:width]
        lines += [line] * (height // rows)
    header = struct.pack(">IIBBBBB", width, len(lines), 8, 3, 0, 0, 0)
    palette = digest[:3] + bytes(255 - part for part in digest[:3])
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(lines), 6)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)
    return Drawing(png, f'"{hashlib.sha256(png).hexdigest()[:32]}"')


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
