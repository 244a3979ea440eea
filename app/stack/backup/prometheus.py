"""Prometheus: a snapshot that it makes itself, of all blocks and of what is in memory."""

import json
from typing import Final

import httpx

from app.stack.backup.place import PROMETHEUS, Place
from app.stack.backup.saver import Saver
from app.stack.backup.shelf import SNAPSHOT
from app.stack.backup.streams import Pour
from app.stack.errors import StackError

_PART: Final = "blocks"
_SECONDS: Final = 600.0
"""The snapshot writes the last two hours out; everything else are links."""


def save_prometheus(place: Place, saver: Saver) -> str:
    """Save the snapshot and remove it from Prometheus' folder again. Raises StackError."""
    saver.versions["Prometheus"] = str(_ask("GET", f"{place.prometheus}/api/v1/status/buildinfo")["version"])
    for abandoned in saver.abandoned:
        place.drop_tree(PROMETHEUS, f"snapshots/{abandoned}")
    name = str(_ask("POST", f"{place.prometheus}/api/v1/admin/tsdb/snapshot")["name"])
    below, note = f"snapshots/{name}", saver.folder / SNAPSHOT
    try:
        note.write_text(name, encoding="utf-8")
        counts = _counts(place, below)
        saver.save(PROMETHEUS, _PART, place.tree(PROMETHEUS, {}, below), counts)
    finally:
        place.drop_tree(PROMETHEUS, below)
        note.unlink(missing_ok=True)
    return _told(counts)


def restore_prometheus(place: Place, pour: Pour, expected: dict[str, int]) -> str:
    """Put the blocks where Prometheus finds them at its next start, and count what is in them. Raises StackError."""
    with place.put_tree(PROMETHEUS) as take:
        pour(take)
    found = _counts(place, "")
    if found != expected:
        raise StackError(f"Prometheus has {_told(found)}, and the backup {_told(expected)}. Try again.")
    return _told(found)


def _counts(place: Place, below: str) -> dict[str, int]:
    """The sums over all blocks, as each block's own description has them."""
    counts = {"blocks": 0, "series": 0, "samples": 0}
    for folder in place.folders(PROMETHEUS, below):
        try:
            description = json.loads(b"".join(place.file(PROMETHEUS, "/".join(filter(None, (below, folder, "meta.json"))))))
        except (StackError, ValueError):
            continue  # no block
        stats = description.get("stats", {})
        counts["blocks"] += 1
        counts["series"] += stats.get("numSeries", 0)
        counts["samples"] += stats.get("numSamples", 0)
    return counts


def _ask(method: str, url: str) -> dict[str, object]:
    try:
        answer = httpx.request(method, url, timeout=_SECONDS)
        content = answer.json()
        if answer.is_success and isinstance(content, dict):
            return dict(content["data"])
        said = str(content.get("error", answer.status_code))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        said = type(error).__name__
    if "admin APIs disabled" in said:
        raise StackError("Prometheus runs without --web.enable-admin-api, which its snapshots need. `make up` starts it with that.")
    raise StackError(f"Prometheus at {url} can't make a snapshot ({said}). `make up` starts it.")


def _told(counts: dict[str, int]) -> str:
    return f"{counts.get('samples', 0):,} samples in {counts.get('blocks', 0)} blocks"
