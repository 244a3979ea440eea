"""The page: what it was measured on, the goals, the tables, how to do it again."""

from pathlib import Path
from typing import Any, Final

from app.stack.paths import CHECKOUT
from bench.report import tables
from bench.report.goals import Figures
from bench.results import FOLDER, load

PAGE: Final = CHECKOUT / "bench" / "RESULTS.md"
PARTS: Final = ("request_path", "formatter", "shipping", "scale")

_TITLES: Final = {
    "request_path": ("Request path", tables.request_path),
    "formatter": ("One log call", tables.formatter),
    "shipping": ("Shipping", tables.shipping),
    "scale": ("Scale", tables.scale),
}

_HEAD: Final = """# Results of the bench

`make bench` writes this page from the raw figures in `bench/results`. Everything is measured side by side on one machine: read ratios,
not times; yours has other times and much the same ratios. Rows of ours are bold.
"""

_METHOD: Final = """## How it is measured

- *Request path*: each application is one uvicorn worker with uvloop and httptools. All run at once and have turns in rounds, in an order
  drawn anew; a client in another process sends a fixed number of requests over 8 keep-alive connections. Figures are CPU time of the
  server process by the kernel's own clock (all threads), not wall clock, so that a busy neighbour disturbs little. A ratio is taken
  within a round. `ping` does nothing; `feed` has a dependency and a checked parameter, answers 2 kB out of validated models and writes
  3 records. In bare FastAPI those calls are below the threshold. Our records go to the spool, the peers' to a file as standard output.
  The number of records written is counted, so that nobody is quick because it leaves something out; the gate against floods of equal
  records is in our path and set never to close. `LOG_REQUEST_START` is off, except in the row that says so.
- *One log call*: each set-up in a process of its own, turns in rounds, CPU time of all threads; a turn whose lines are not all in the file
  ends the bench.
- *Shipping*: a new index each turn, started when Elasticsearch is idle again. The clock starts when the lines appear (for ours and
  rsyslog: finished files moved into the folder; for the others: go) and stops when the last is taken. Start-up is not part of it.
  The ceiling sends bodies that were encoded beforehand.
- *Scale*: backlogs are copies of the same 150,000 lines as further segments, hence different documents.

All of it: `make bench` (about 25 minutes on a quiet machine). One part: `make bench ARGS="--only formatter"`. Other numbers of rounds:
`python -m bench.request_path --help`. A short run that only shows that it works, and keeps no figures: `make bench QUICK=1`.
"""


def write_page(path: Path = PAGE, folder: Path = FOLDER) -> Figures:
    """Write the page; returns the figures that it shows. Parts that were never run are named as such."""
    figures: Figures = {part: found for part in PARTS if (found := load(part, folder))}
    blocks = [_HEAD, "## Goals\n\n" + tables.goal_table(figures)]
    for part, (title, draw) in _TITLES.items():
        if part in figures:
            blocks.append(f"## {title}\n\n{_machine(figures[part]['machine'])}\n\n{draw(figures[part])}")
        else:
            blocks.append(f"## {title}\n\nNot run yet.\n")
    blocks += [_METHOD, _versions(figures)]
    path.write_text("\n".join(block.rstrip() + "\n" for block in blocks), encoding="utf-8")
    return figures


def _machine(machine: dict[str, Any]) -> str:
    return (
        f"{machine['when'][:10]}, commit {machine['commit']}: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, Python {machine['python']}; load before {machine['load_before']}."
    )


def _versions(figures: Figures) -> str:
    found: dict[str, str] = {}
    for part in figures.values():
        found |= part.get("versions", {})
    return "## Versions\n\n" + ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
