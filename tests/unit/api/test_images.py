"""Images: made, fetched, cached."""

import struct
import zlib

import pytest

from tests.support.backend import Backend

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("signed_in")]

WANTED = {"prompt": "a private lighthouse", "model": "flux", "size": "512x512"}


def _size(png: bytes) -> tuple[int, int]:
    """Width and height, after the rows have been unpacked and counted."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    place, data = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + body)
        data += body if kind == b"IDAT" else b""
        place += 12 + length
    assert len(zlib.decompress(data)) == height * (width + 1)
    return width, height


@pytest.mark.req("ANA-03", "ANA-04", "PRV-07")
async def test_an_image_is_made_in_the_wanted_size_and_what_it_shows_is_nowhere(backend: Backend) -> None:
    """201, then a PNG of that size; one `image_generated` with model and size; the prompt in no record and no table."""
    answer = await backend.http.post("/images", json=WANTED, headers={"X-Event-ID": "draw"})
    assert (answer.status_code, answer.json()["model"], answer.json()["size"]) == (201, "flux", "512x512")
    picture = await backend.http.get(f"/images/{answer.json()['id']}")
    assert (picture.status_code, picture.headers["content-type"], _size(picture.content)) == (200, "image/png", (512, 512))
    made = backend.record("draw", "image.generated")
    assert (made["image_id"], made["user_id"], made["extra"]) == (str(answer.json()["id"]), "7", {"model": "flux", "size": "512x512"})
    assert await backend.metric("tracked_events_total", event_type="image_generated") >= 1
    assert "lighthouse" not in "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))
    assert b"lighthouse" not in (backend.spool.parent / "test.db").read_bytes()


@pytest.mark.req("PRF-15", "J-25")
@pytest.mark.parametrize(("path", "size"), [("/users/7/picture", (128, 128)), ("/users/7/banner", (1200, 400))])
async def test_profile_pictures_and_banners_may_be_kept_for_half_an_hour(backend: Backend, path: str, size: tuple[int, int]) -> None:
    """1800 s in Cache-Control, an ETag, and 304 without a body for whoever has it."""
    first = await backend.http.get(path)
    assert (first.status_code, first.headers["cache-control"], _size(first.content)) == (200, "public, max-age=1800", size)
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await backend.http.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["cache-control"] == "public, max-age=1800"
    assert (await backend.http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_users_look_different_and_the_same_every_time(backend: Backend) -> None:
    """A pattern belongs to an id."""
    tags = [(await backend.http.get(f"/users/{user}/picture")).headers["etag"] for user in ("7", "8", "7")]
    assert tags[0] == tags[2] != tags[1]


@pytest.mark.req("LOG-30", "J-25")
async def test_a_missing_image_is_404_and_no_error(backend: Backend) -> None:
    """404 with a sentence; nothing above INFO."""
    answer = await backend.http.get("/images/4711", headers={"X-Event-ID": "gone"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no image 4711.")
    assert {record["level"] for record in backend.records("gone")} <= {"DEBUG", "INFO"}


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("change", [{"model": "dalle"}, {"size": "1x1"}, {"prompt": ""}, {"prompt": "x" * 201}])
async def test_a_bad_wish_is_400(backend: Backend, change: dict[str, str]) -> None:
    """Unknown models and sizes are refused, so that no label value is a stranger's."""
    assert (await backend.http.post("/images", json=WANTED | change)).status_code == 400
