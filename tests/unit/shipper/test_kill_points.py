"""The oracle under random deaths: whatever was written arrives once, unharmed, and the counts say so."""

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.support.mortal import Doom, Written, complaints, live_on, make_haste, mortal_store


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), writers=st.integers(1, 4), data=st.data())
def test_nothing_is_lost_doubled_or_invented(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: int, writers: int, data: st.DataObject
) -> None:
    """Killed before and after requests, saves and removals, the shipper ends with each record stored once."""
    note(f"seed {seed}")
    make_haste(monkeypatch)
    folder, state = tmp_path_factory.mktemp("spool"), tmp_path_factory.mktemp("state")
    written = Written()
    for writer in range(writers):
        for sequence in range(1, data.draw(st.integers(1, 4)) + 1):
            tail = data.draw(st.sampled_from([b"", b'{"timestamp":"2026-']))
            written.segment(folder, writer, sequence, data.draw(st.integers(0, 40)), data.draw(st.integers(0, 2)), tail)
    doom = Doom(seed)
    store = mortal_store(doom)
    live_on(folder, state, store, doom)
    assert complaints(folder, state, store, written) == []
