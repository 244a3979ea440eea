"""The raw figures: one JSON file for each part of the bench, in bench/results."""

import json
from pathlib import Path
from typing import Any, Final

from app.stack.paths import CHECKOUT

FOLDER: Final = CHECKOUT / "bench" / "results"


def save(part: str, found: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write the figures of a part; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return path


def load(part: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """The figures of a part's last run; None before the first."""
    path = folder / f"{part}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
