"""Generated images, profile pictures and banners. They change rarely, so that clients and a CDN may keep them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Response, status

from app.api.deps import CurrentUserDep, DatabaseDep
from app.api.errors import MISSING, NEEDS_TOKEN, there_is_no
from app.api.schemas import LARGEST_ID, ImageCreate, ImageRead, UserId
from app.domain import images

router = APIRouter(tags=["images"])

CACHED: Final = "public, max-age=1800"
"""Half an hour: PRF-15."""

PNG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture.", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture that you have (`If-None-Match`) is still the same."},
}

ImageId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Id of the image.", examples=[3])]
Owner = Annotated[UserId, Path()]
IfNoneMatch = Annotated[str | None, Header(description="The `ETag` of the picture that you have.")]


@router.post("/images", status_code=status.HTTP_201_CREATED, responses=NEEDS_TOKEN)
async def generate_image(database: DatabaseDep, user: CurrentUserDep, wanted: ImageCreate) -> ImageRead:
    """Have an image made. What it shall show is neither stored nor logged."""
    return ImageRead.model_validate(await images.generate_image(database, user.user_id, wanted.prompt, wanted.model, wanted.size))


@router.get("/images/{image_id}", response_class=Response, responses=PNG | MISSING)
async def read_image(database: DatabaseDep, image_id: ImageId, if_none_match: IfNoneMatch = None) -> Response:
    """A generated image."""
    drawing = await images.read_image(database, image_id)
    if drawing is None:
        raise there_is_no("image", image_id)
    return _picture(drawing, if_none_match)


@router.get("/users/{user_id}/picture", response_class=Response, responses=PNG)
async def read_profile_picture(user_id: Owner, if_none_match: IfNoneMatch = None) -> Response:
    """The profile picture of a user: a pattern of its own for every id, so that asking tells nobody who exists."""
    return _picture(images.profile_picture(user_id), if_none_match)


@router.get("/users/{user_id}/banner", response_class=Response, responses=PNG)
async def read_banner(user_id: Owner, if_none_match: IfNoneMatch = None) -> Response:
    """The banner of a user's profile."""
    return _picture(images.profile_banner(user_id), if_none_match)


def _picture(drawing: images.Drawing, if_none_match: str | None) -> Response:
    headers = {"Cache-Control": CACHED, "ETag": drawing.etag}
    # RFC 9110, section 13.1.2: a list of tags or *; weak tags are compared by what they name
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if drawing.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(drawing.png, media_type="image/png", headers=headers)
