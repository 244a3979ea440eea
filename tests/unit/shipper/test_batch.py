"""Bulk bodies: bytes as they were, ids that stay, days that fit."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.spool import EVENTS_STREAM, SegmentName
from app.shipper.batch import Batch, BatchBuilder, daily_index, day_of, document_id
from app.shipper.segments import SegmentQueue
from tests.support.spools import held, record, write_segment

MEGABYTE = 1 << 20


def build_all(folder: Path, *, most_docs: int = 4000, most_bytes: int = 8 * MEGABYTE) -> list[Batch]:
    """All batches of a spool whose writers are gone."""
    queue = SegmentQueue(folder, {})
    queue.scan()
    builder = BatchBuilder("logs-t", most_docs=most_docs, most_bytes=most_bytes)
    batches, full = [], True
    while full:
        batch, full = builder.build(queue)
        if not batch.empty:
            batches.append(batch)
    queue.close()
    return batches


def documents(batches: list[Batch]) -> dict[str, tuple[str, bytes]]:
    """What a bulk request would store: id → index and line. Fails when an id comes twice."""
    found: dict[str, tuple[str, bytes]] = {}
    for batch in batches:
        lines = batch.body.split(b"\n")[:-1]
        assert len(lines) == 2 * batch.count
        for action, line in zip(lines[::2], lines[1::2], strict=True):
            create = json.loads(action)["create"]
            assert create["_id"] not in found
            found[create["_id"]] = create.get("_index", batch.index), line
    return found


@pytest.mark.req("SHP-02")
def test_each_line_goes_unchanged_to_the_index_of_its_day(tmp_path: Path) -> None:
    """The bytes of a record are copied, and its own date names the index, around midnight too."""
    lines = [record(1, stamp="2026-11-22T23:59:59.999999Z"), record(2, stamp="2026-11-23T00:00:00.000000Z"), record(3)]
    name = write_segment(tmp_path, "18ea-1", 7, lines)
    found = documents(build_all(tmp_path))
    offsets = [0, len(lines[0]) + 1, len(lines[0]) + len(lines[1]) + 2]
    days = ["logs-t-2026.11.22", "logs-t-2026.11.23", "logs-t-2026.11.22"]
    assert found == {document_id(name, offset): (day, line) for offset, day, line in zip(offsets, days, lines, strict=True)}


@pytest.mark.req("ANA-06")
def test_tracked_events_go_unchanged_to_indices_of_their_own(tmp_path: Path) -> None:
    """The stream of a segment names the prefix, beside log records of the same day and in the same batch."""
    lines = [record(1), record(2, stamp="2026-11-23T00:00:00.000000Z")]
    logs = write_segment(tmp_path, "w1", 1, lines)
    events = write_segment(tmp_path, "w2", 1, lines, stream=EVENTS_STREAM)
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    batch, _ = BatchBuilder("logs-t", events_prefix="events-t", most_docs=100, most_bytes=MEGABYTE).build(queue)
    queue.close()
    second = len(lines[0]) + 1
    assert documents([batch]) == {
        document_id(logs, 0): ("logs-t-2026.11.22", lines[0]),
        document_id(logs, second): ("logs-t-2026.11.23", lines[1]),
        document_id(events, 0): ("events-t-2026.11.22", lines[0]),
        document_id(events, second): ("events-t-2026.11.23", lines[1]),
    }


def test_ids_are_the_same_however_the_segment_is_cut_into_batches(tmp_path: Path) -> None:
    """A record that is sent again in another batch has the id that it had before."""
    write_segment(tmp_path, "w", 1, [record(number, padding=number % 50) for number in range(300)])
    assert documents(build_all(tmp_path)) == documents(build_all(tmp_path, most_docs=7)) == documents(build_all(tmp_path, most_bytes=1500))


def test_ids_grow_with_the_position(tmp_path: Path) -> None:
    """Later lines have greater ids, over segments too: the cheap order for the store."""
    for sequence in (1, 2):
        write_segment(tmp_path, "w", sequence, [record(number) for number in range(2000)])
    idents = list(documents(build_all(tmp_path)))
    assert idents == sorted(idents)


def test_batches_keep_to_both_limits(tmp_path: Path) -> None:
    """Never more documents than wanted, never many more bytes."""
    write_segment(tmp_path, "w", 1, [record(number, padding=900) for number in range(500)])
    assert max(batch.count for batch in build_all(tmp_path, most_docs=64)) == 64
    assert max(len(batch.body) for batch in build_all(tmp_path, most_bytes=20_000)) < 22_000


def test_writers_share_a_batch_in_fair_turns(tmp_path: Path) -> None:
    """A writer with much to say does not keep the others waiting for more than one batch."""
    write_segment(tmp_path, "loud", 1, [record(number) for number in range(5000)])
    write_segment(tmp_path, "quiet", 1, [record(1)])
    batches = build_all(tmp_path, most_docs=1000)
    assert "quiet" in {span.segment.name.writer for span in batches[1].spans}


@pytest.mark.parametrize("line", [b"not json", b"{}", b'{"timestamp":"2026-99-99T', b'{"timestamp":"9999-01-01T', b"\0" * 40, b"\xff\xfe"])
def test_what_does_not_begin_like_a_record_is_no_document(tmp_path: Path, line: bytes) -> None:
    """Garbage is taken out with its place and reason; its neighbours go their way."""
    name = write_segment(tmp_path, "w", 1, [record(1), line, record(2)])
    (batch,) = build_all(tmp_path)
    assert batch.count == 2
    assert [(reject.segment, reject.offset, reject.raw, reject.reason) for reject in batch.rejects] == [
        (name, len(record(1)) + 1, line, "malformed")
    ]


def test_a_torn_tail_is_cut_off_only_when_the_writer_is_gone(tmp_path: Path) -> None:
    """While the writer lives, the rest of the line may still come."""
    name = write_segment(tmp_path, "w", 1, [record(1)], tail=record(2)[:30])
    path = tmp_path / str(name)
    with held(path):
        queue = SegmentQueue(tmp_path, {})
        queue.scan()
        builder = BatchBuilder("logs-t", most_docs=100, most_bytes=MEGABYTE)
        batch, full = builder.build(queue)
        assert (batch.count, batch.torn, full) == (1, [], False)
        with path.open("ab") as file:
            file.write(record(2)[30:] + b"\n" + record(3)[:20])
        batch, _ = builder.build(queue)
        assert (batch.count, batch.torn) == (1, [])
    batch, _ = builder.build(queue)
    assert (batch.count, batch.torn) == (0, [name])
    assert batch.spans[0].end == path.stat().st_size


def test_lines_longer_than_a_read_and_longer_than_a_batch(tmp_path: Path) -> None:
    """A long record is sent; one that no request can hold is given up with the beginning of its text; neither stops the rest."""
    long, endless = record(2, padding=300_000), record(3, padding=2 * MEGABYTE)
    write_segment(tmp_path, "w", 1, [record(1), long, endless, record(4)])
    batches = build_all(tmp_path, most_bytes=MEGABYTE)
    assert [line for _, line in documents(batches).values()] == [record(1), long, record(4)]
    (reject,) = [reject for batch in batches for reject in batch.rejects]
    assert reject.reason == "too_large"
    assert endless.startswith(reject.raw)


@settings(deadline=None)
@given(st.data())
def test_any_cut_of_a_segment_loses_only_what_it_cut(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Truncated anywhere, a segment gives every whole line before the cut, and one torn piece if the cut is inside a line."""
    folder = tmp_path_factory.mktemp("cut")
    lines = [record(number, padding=number * 3) for number in range(data.draw(st.integers(1, 12)))]
    whole = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(1, len(whole)))
    name = write_segment(folder, "w", 1, [])
    (folder / str(name)).write_bytes(whole[:cut])
    batches = build_all(folder, most_docs=data.draw(st.integers(1, 20)))
    kept = whole[:cut].split(b"\n")
    assert [line for _, line in documents(batches).values()] == kept[:-1]
    assert sum(len(batch.torn) for batch in batches) == bool(kept[-1])


@settings(deadline=None)
@given(writer=st.text(min_size=1, max_size=20).filter(lambda text: "." not in text and "/" not in text and "\0" not in text))
def test_any_writer_name_makes_a_valid_action(tmp_path_factory: pytest.TempPathFactory, writer: str) -> None:
    """Quotes and percent signs in a file name break neither the request nor the id."""
    folder = tmp_path_factory.mktemp("names")
    try:
        name = write_segment(folder, writer, 1, [record(1)])
    except (OSError, UnicodeEncodeError):
        return
    assert list(documents(build_all(folder))) == [document_id(name, 0)]


def test_days_and_indices() -> None:
    """Only dates that an index can have name one."""
    assert daily_index("logs-t", day_of(record(1))) == "logs-t-2026.11.22"
    assert daily_index("logs-t", day_of(b"nothing")) == ""
    assert document_id(SegmentName("w", 3, "app"), 255) == "w-00000003-00000000ff"
