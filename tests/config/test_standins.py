"""The stand-ins for images: one for each that docker-compose.yml names, and none that nobody needs."""

import pytest

from tests.compose import standins


@pytest.mark.parametrize("image", standins.pinned_images())
def test_each_pinned_image_has_a_stand_in_whose_differences_are_told(image: str) -> None:
    """A new image without one would keep the tests in containers from running where no registry answers."""
    name = standins.stand_in_of(image)
    assert name in (standins.IMAGES / "README.md").read_text(encoding="utf-8")


def test_no_stand_in_is_left_over() -> None:
    """What docker-compose.yml no longer names is removed here, too."""
    folders = {file.parent.name for file in standins.IMAGES.glob("*/Dockerfile")}
    assert folders == {standins.stand_in_of(image) for image in standins.pinned_images()} | {"busybox"}
