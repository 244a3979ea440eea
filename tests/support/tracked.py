"""Reads tracked events, and makes them."""

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

from app.core.config import load_settings
from app.core.pseudonyms import Pseudonyms
from app.core.spool import EVENTS_STREAM, list_segments
from app.core.tracked_event import EventMaker, TrackedEvent

KEY = "k" * 24


def events_in(folder: Path) -> list[dict[str, Any]]:
    """All tracked events of a spool, in the order of their segments. Fails on a line that is no JSON object."""
    names = [name for name in list_segments(folder) if name.stream == EVENTS_STREAM]
    return [json.loads(line) for name in names for line in (folder / str(name)).read_bytes().splitlines()]


def make_event(event_type: str = "message_sent", user_id: str = "7", key: str = KEY, **properties: Any) -> TrackedEvent:
    """An event as the tracker makes it."""
    maker = EventMaker("app", Pseudonyms(load_settings(analytics_key=key)), 1024)
    now = dt.datetime.now(dt.UTC)
    return maker.make(str(uuid.uuid4()), user_id, event_type, properties, time=now, source="backend", request_id="r1")[0]
