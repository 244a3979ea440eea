"""What goes into an archive file comes out, or an error does."""

from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.archive_files import ArchiveError, ArchiveKey, read, write

KEY = ArchiveKey(str(pyrage.x25519.Identity.generate()))
LINES = [b'{"n":%d}\n' % number for number in range(20_000)]


@given(lines=st.lists(st.binary(max_size=300).map(lambda text: text.replace(b"\n", b" ") + b"\n"), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_every_line_comes_back(tmp_path: Path, lines: list[bytes]) -> None:
    """Whatever the bytes, whatever the number; counts and checksums of both ways agree."""
    file = tmp_path / "a.age"
    got: list[bytes] = []
    written = write(file, lines, KEY)
    assert read(file, KEY, lambda line: got.append(line + b"\n")) == written
    assert got == lines
    assert written.documents == len(lines)


@pytest.mark.req("BAK-02")
@pytest.mark.parametrize("place", [0, 1, 60, 250, -1000, -1])
def test_a_flipped_bit_is_an_error(tmp_path: Path, place: int) -> None:
    """Wherever it is."""
    file = tmp_path / "a.age"
    write(file, LINES, KEY)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match="damaged"):
        read(file, KEY)


@pytest.mark.parametrize("length", [0, 10, 200, 5000])
def test_a_cut_file_is_an_error(tmp_path: Path, length: int) -> None:
    """However much of it is left."""
    file = tmp_path / "a.age"
    write(file, LINES, KEY)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ArchiveError):
        read(file, KEY)


def test_bytes_behind_the_end_do_not_go_unnoticed(tmp_path: Path) -> None:
    """Either an error, or another checksum."""
    file = tmp_path / "a.age"
    written = write(file, LINES, KEY)
    with file.open("ab") as end:
        end.write(b"more")
    try:
        assert read(file, KEY) != written
    except ArchiveError:
        pass


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    """Only the identity that encrypted it."""
    file = tmp_path / "a.age"
    write(file, LINES, KEY)
    with pytest.raises(ArchiveError, match="another key"):
        read(file, ArchiveKey(str(pyrage.x25519.Identity.generate())))


def test_a_failing_source_leaves_nothing_and_its_own_error(tmp_path: Path) -> None:
    """What the lines' source raises comes through, and no file is left, neither finished nor half."""

    def lines() -> Iterator[bytes]:
        yield b"{}\n"
        raise LookupError("the source is gone")

    with pytest.raises(LookupError, match="the source is gone"):
        write(tmp_path / "a.age", lines(), KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_reader_gets_its_own_error(tmp_path: Path) -> None:
    """What `take` raises comes through."""
    file = tmp_path / "a.age"
    write(file, LINES, KEY)

    def take(_line: bytes) -> None:
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        read(file, KEY, take)


def test_a_failed_writing_keeps_the_older_file(tmp_path: Path) -> None:
    """The name changes hands when the new file is complete, not before."""
    file = tmp_path / "a.age"
    written = write(file, LINES, KEY)
    with pytest.raises(ZeroDivisionError):
        write(file, (b"%d\n" % (1 // number) for number in (1, 0)), KEY)
    assert read(file, KEY) == written


def test_a_bad_key_is_one_sentence_that_hides_it() -> None:
    """It says where to get one, and doesn't show what was given."""
    with pytest.raises(ArchiveError, match=r"LOG_ARCHIVE_IDENTITY is no age identity") as failed:
        ArchiveKey("AGE-SECRET-KEY-1SOMETHING")
    assert "SOMETHING" not in str(failed.value)
