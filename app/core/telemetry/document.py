"""Writes what is made from declarations: `.env.example`, `docs/telemetry.md` and the Elasticsearch templates.

`python -m app.core.telemetry.document` writes the files; with `--check` it only
says which of them are out of date, and exits 1 if any is.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from app.core import settings_sections
from app.core.config import Settings
from app.core.telemetry import EVENTS, FIELDS, METRICS, SPANS
from app.core.telemetry.fields import ALIASES
from app.core.telemetry.labels import LABELS
from app.core.telemetry.seldom import SELDOM
from app.core.telemetry.template import dead_letter_template, dead_prefix, events_template, index_template
from app.core.telemetry.tracked import COMMON, PROPERTIES, SOURCES, TRACKED

ROOT = Path(__file__).resolve().parents[3]


def env_example() -> str:
    """Every setting with its default, commented by its description."""
    lines = [
        "# Every setting of the stack with its default; made from app/core/config.py by `make generate`.",
        "# `make up` writes a .env with generated secrets; copy lines from here to change a default.",
        "# NAME_FILE=/path reads NAME from a file instead, for each of them.",
    ]
    for section in _sections():
        lines += ["", f"# --- {(section.__doc__ or '').strip().splitlines()[0]}"]
        for name, field in section.model_fields.items():
            lines += [f"# {field.description}", f"{name.upper()}={_default(field.default)}"]
    return "\n".join(lines) + "\n"


def _sections() -> list[type[Any]]:
    return [base for base in Settings.__mro__ if base.__module__ == settings_sections.__name__]


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def telemetry_page() -> str:
    """The reference of all names that the stack emits."""
    parts = [
        "# Telemetry reference",
        "",
        "Every log field, event, metric and span of the stack. Made from `app/core/telemetry/` by `make generate`; edit there.",
        "",
        "## Log fields",
        "",
        *_table(
            ("Field", "Type", "In every record", "Meaning"),
            ((f"`{f.name}`", f.type, "yes" if f.always else "", f.meaning) for f in FIELDS.values()),
        ),
        "",
        "Elasticsearch finds fields under these names too: " + ", ".join(f"`{alias}` = `{name}`" for alias, name in ALIASES.items()) + ".",
        "A key that isn't listed here is stored under `extra` and found as `extra.key:value`.",
        "",
        "## Events",
        "",
        *_table(("Event", "Usual level", "Meaning"), ((f"`{e.name}`", e.level, e.meaning) for e in EVENTS.values())),
        "",
        "## Tracked events",
        "",
        "What people do with the product; see [events.md](events.md). Each is stored in PostgreSQL and Elasticsearch under these names,",
        f"and counted in `tracked_events_total`. `source` is {', '.join(SOURCES)}.",
        f"All may have {', '.join(f'`{name}`' for name in COMMON)} too.",
        "",
        *_table(
            ("Tracked event", "Priority", "Properties", "Why", "Log event"),
            ((f"`{t.name}`", t.priority, ", ".join(t.own), t.reason, f"`{t.log_event}`" if t.log_event else "") for t in TRACKED.values()),
        ),
        "",
        *_table(("Property", "Type", "Meaning"), ((f"`{name}`", kind, meaning) for name, (kind, meaning) in PROPERTIES.items())),
        "",
        "## Metrics",
        "",
        *_table(
            ("Metric", "Type", "Unit", "Labels", "Emitted by", "Meaning"),
            ((f"`{m.name}`", m.type, m.unit, ", ".join(m.labels), ", ".join(m.services), m.meaning) for m in METRICS.values()),
        ),
        "",
        "Histogram edges: "
        + "; ".join(f"`{m.name}` {', '.join(f'{edge:g}' for edge in m.buckets)}" for m in METRICS.values() if m.buckets)
        + ".",
        "",
        *_table(("Label", "Meaning"), ((f"`{name}`", meaning) for name, meaning in LABELS.items())),
        "",
        "Prometheus adds `job`, `instance`, `service` (what is scraped) and `env` to each series.",
        "",
        "## Spans",
        "",
        *_table(("Span", "Meaning"), ((f"`{s.name}`", s.meaning) for s in SPANS.values())),
        "",
        "## What comes seldom",
        "",
        "A healthy stack with visitors emits all names of this page but these, which need something to happen first.",
        "",
        *_table(("When", "Names"), ((cause, ", ".join(f"`{name}`" for name in names)) for cause, names in SELDOM.items())),
    ]
    return "\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows),
    ]


def files() -> dict[Path, str]:
    """Each generated file and its text."""
    prefix = str(Settings.model_fields["log_index_prefix"].default)
    events = f"events-{prefix.removeprefix('logs-')}"
    templates = {
        "logs": index_template(prefix),
        "events": events_template(events),
        "dead-letters": dead_letter_template(dead_prefix(prefix)),
    }
    return {
        ROOT / ".env.example": env_example(),
        ROOT / "docs/telemetry.md": telemetry_page(),
        **{
            ROOT / f"docker/elasticsearch/templates/{name}.json": json.dumps(body, indent=2, ensure_ascii=False) + "\n"
            for name, body in templates.items()
        },
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them."""
    stale = [path for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run `make generate`", file=sys.stderr)  # noqa: T201
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
