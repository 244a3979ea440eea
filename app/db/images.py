"""Queries about generated images. What they log about themselves comes from the engine (`app.db.observe`)."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Image


async def add(session: AsyncSession, owner_id: str, model: str, size: str, seed: str) -> Image:
    """Store how an image is drawn and give it back with its id."""
    image = Image(owner_id=owner_id, model=model, size=size, seed=seed)
    session.add(image)
    await session.flush()
    return image


async def find(session: AsyncSession, image_id: int) -> Image | None:
    """The image of that id."""
    return await session.get(Image, image_id)
