"""Bytes out of programs and into them, and folders as tar streams, without a file in between."""

import contextlib
import os
import sqlite3
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from app.core.sealed import BLOCK
from app.stack.errors import StackError

Take = Callable[[bytes], object]
"""Takes the next bytes of a stream."""

Pour = Callable[[Take], object]
"""Gives a whole stream to whoever takes it."""

_SQLITE: Final = b"SQLite format 3\0"
_SQLITE_SIDES: Final = ("-wal", "-shm", "-journal")
_SQLITE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its environment; secrets are in the environment only."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def output_of(command: Command, what: str, hear: Callable[[str], None] = lambda _words: None) -> Iterator[bytes]:
    """What a program writes, until it has ended well; `hear` is told what it wrote to its standard error then.

    Raises StackError with these words when it has not ended well.
    """
    with tempfile.TemporaryFile() as words, _started(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words) as process:
        assert process.stdout is not None  # noqa: S101 (asked for above)
        while chunk := process.stdout.read(BLOCK):
            yield chunk
        _must_have_ended_well(process, words, what)
        words.seek(0)
        hear(words.read().decode(errors="replace"))


@contextmanager
def input_of(command: Command, what: str) -> Iterator[Take]:
    """Write to a program for as long as the block lasts; leaving it waits for its end. Raises StackError when that is not a good one."""
    with tempfile.TemporaryFile() as words, _started(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words) as process:
        assert process.stdin is not None  # noqa: S101 (asked for above)
        with contextlib.suppress(BrokenPipeError):  # it ended early; its own words say why
            yield process.stdin.write
            process.stdin.close()
        _must_have_ended_well(process, words, what)


@contextmanager
def _started(command: Command, **pipes: Any) -> Iterator["subprocess.Popen[bytes]"]:
    try:
        process = subprocess.Popen(command.argv, env=dict(command.env), **pipes)
    except FileNotFoundError:
        raise StackError(f"{command.argv[0]} is not on this machine. Install it and run again.") from None
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


def _must_have_ended_well(process: "subprocess.Popen[bytes]", words: IO[bytes], what: str) -> None:
    if process.wait():
        words.seek(0)
        said = " ".join(words.read().decode(errors="replace").split())[-400:]
        raise StackError(f"{what} failed: {said or f'exit code {process.returncode}'}")


def tar_of(folder: Path, counts: dict[str, int]) -> Iterator[bytes]:
    """A folder as a tar stream, readable while its owner goes on writing.

    SQLite databases are copied by SQLite, so they are of one moment. Other files are taken as long as they are when
    their turn comes; one that vanishes meanwhile is left out. `counts` is filled with what went by.
    """
    counts.update({"files": 0, "rows": 0})
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(_SQLITE_SIDES) or path.is_symlink():
            continue
        name = str(path.relative_to(folder))
        if path.is_dir():
            yield _header(name, path, 0, tarfile.DIRTYPE)
        elif path.is_file():
            yield from _file(name, path, counts)
    yield end_of_tar()


def count_tree(folder: Path) -> dict[str, int]:
    """What `tar_of` would count."""
    counts: dict[str, int] = {}
    for _chunk in tar_of(folder, counts):
        pass
    return counts


@contextmanager
def untar_into(folder: Path) -> Iterator[Take]:
    """Write a tar stream for as long as the block lasts; its files are in `folder` afterwards. Raises StackError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe()
    failed: list[Exception] = []

    def work() -> None:
        with os.fdopen(reading, "rb") as source:
            try:
                with tarfile.open(fileobj=source, mode="r|") as tar:
                    tar.extractall(folder, filter="data")
            except Exception as error:  # noqa: BLE001 (told by the other thread)
                failed.append(error)
            while source.read(BLOCK):  # nobody is left with a full pipe
                pass

    thread = threading.Thread(target=work, name="untar", daemon=True)
    thread.start()
    try:
        with os.fdopen(writing, "wb") as target:
            yield target.write
    finally:
        thread.join()
    if failed:
        raise StackError(f"{folder} can't be filled ({failed[0]}). Free space there and run again.")


def pour_file(take: Take, name: str, size: int, pour: Pour) -> None:
    """One file of so many bytes into a tar stream that somebody takes."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    take(info.tobuf(tarfile.PAX_FORMAT))
    pour(take)
    take(bytes(-size % tarfile.BLOCKSIZE))


def end_of_tar() -> bytes:
    """What closes a tar stream."""
    return bytes(2 * tarfile.BLOCKSIZE)


def _file(name: str, path: Path, counts: dict[str, int]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                with _database_copy(path) as copy:
                    counts["rows"] += _rows(copy)
                    yield from _content(name, copy)
            else:
                yield from _content(name, path)
    except FileNotFoundError:
        return
    counts["files"] += 1


def _content(name: str, path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        left = size = os.fstat(file.fileno()).st_size
        yield _header(name, path, size, tarfile.REGTYPE)
        while left:
            chunk = file.read(min(BLOCK, left))
            if not chunk:
                raise StackError(f"{path} became shorter while it was saved. Run again.")
            left -= len(chunk)
            yield chunk
        yield bytes(-size % tarfile.BLOCKSIZE)


def _header(name: str, path: Path, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    status = path.stat()
    info.size, info.type, info.mode, info.mtime = size, kind, status.st_mode & 0o777, int(status.st_mtime)
    return info.tobuf(tarfile.PAX_FORMAT)


@contextmanager
def _database_copy(path: Path) -> Iterator[Path]:
    """A copy of a SQLite database as it is at one moment, however busy it is."""
    with tempfile.TemporaryDirectory(prefix="nobet-backup-") as folder:
        copy = Path(folder) / path.name
        try:
            with (
                contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_SQLITE_SECONDS)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            raise StackError(f"The database {path} can't be copied ({error}). Run again.") from None
        yield copy


def _rows(database: Path) -> int:
    """The rows of all tables together."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables)  # noqa: S608 (its own names)
