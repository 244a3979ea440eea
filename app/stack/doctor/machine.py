"""The machine: load, memory, disk, kernel, ports, versions, clock."""

import shutil
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

from app.stack.choose import choose, is_wanted
from app.stack.components import COMPONENTS
from app.stack.doctor.asking import NoAnswerError, ask_json
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Level, Scene
from app.stack.doctor.running import runs
from app.stack.listeners import is_free, owner_of
from app.stack.memory import PROMISED_BYTES
from app.stack.mode import Mode
from app.stack.paths import CHECKOUT

GIB: Final = 1024**3

TIGHT_BYTES: Final = 256 * 1024**2
"""With less than this available a running stack is about to lose a process to the kernel."""

FLOOD_BYTES: Final = 512 * 1024**2
"""Below it Elasticsearch makes indices read-only (watermarks in render_servers.py and docker-compose.yml)."""

SCARCE_BYTES: Final = 2 * GIB
"""Below it Elasticsearch gives no new shard to the disk."""

BUSY_PER_CORE: Final = 8.0
"""Processes that wait for a core, per core: with more an answer of milliseconds takes seconds."""

MAP_COUNT: Final = 262_144
"""What Elasticsearch's documentation asks for, and its cluster start-up check enforces."""

MAP_COUNT_FILE: Final = Path("/proc/sys/vm/max_map_count")

OLDEST_PYTHON: Final = (3, 11)
MOST_SKEW_SECONDS: Final = 2.0
"""Between this command's clock and that of a server of the stack."""


def machine_checks() -> tuple[Check, ...]:
    """In the order of the table."""
    looks = (
        ("load", load),
        ("memory", memory),
        ("disk", disk),
        ("vm.max_map_count", map_count),
        ("ports", ports),
        ("versions", versions),
        ("clock", clock),
    )
    return tuple(Check(name, "machine", look) for name, look in looks)


def load(_: Scene) -> list[Finding]:
    """Whether servers get to answer in time at all: where they don't, other rows find hangs that are none."""
    busy, cores = psutil.getloadavg()[0], psutil.cpu_count() or 1
    if busy <= BUSY_PER_CORE * cores:
        return ok(f"The load is {busy:.1f} on {cores} cores.")
    return note(
        f"The load is {busy:.0f} on {cores} cores: servers answer late, and what looks like a hang may be none.",
        "End other work or wait, then `nobet doctor` again. A restart makes it worse.",
    )


def memory(scene: Scene) -> list[Finding]:
    """Enough for the start, or while it runs a rest that keeps the kernel from ending a process."""
    found = psutil.virtual_memory()
    text = f"{found.available / GIB:.1f} of {found.total / GIB:.1f} GiB are available."
    if runs(scene):
        if found.available >= TIGHT_BYTES:
            return ok(text)
        return problem(
            text,
            "The stack and what else runs here take all memory; the kernel ends the largest process next, mostly Elasticsearch.",
            "End other programs, give the machine more memory, or stop optional parts: nobet down jaeger inbox",
        )
    if found.available >= PROMISED_BYTES:
        return ok(text)
    return problem(
        text,
        f"The stack takes up to {PROMISED_BYTES / GIB:.0f} GiB.",
        "End other programs, or start only what you need: nobet up app shipper",
    )


def disk(scene: Scene) -> list[Finding]:
    """Room for data, above the marks at which Elasticsearch stops to take it."""
    folder = _existing(scene.stack.paths.root)
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB are free at {folder}."
    if free >= SCARCE_BYTES:
        return ok(text)
    effect = (
        "Elasticsearch makes its indices read-only; records wait in the spool, and the oldest go when that is full."
        if free < FLOOD_BYTES
        else "Elasticsearch gives no new index to this disk, so tomorrow's records find no place."
    )
    return problem(text, effect, "Make room: nobet cleanup --dry-run shows old log indices, and LOG_RETENTION_DAYS says what is old.")


def map_count(scene: Scene) -> list[Finding]:
    """A single Elasticsearch starts with less; a cluster does not."""
    try:
        value = int(MAP_COUNT_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return note("vm.max_map_count can't be read: this is no Linux.")
    if value >= MAP_COUNT:
        return ok(f"vm.max_map_count is {value}.")
    return note(
        f"vm.max_map_count is {value}. One Elasticsearch runs with it; three that form a cluster refuse to start.",
        f"sysctl -w vm.max_map_count={MAP_COUNT}, and the same in /etc/sysctl.d/",
    )


def ports(scene: Scene) -> list[Finding]:
    """Every port of what does not run is free."""
    if scene.mode is Mode.COMPOSE and runs(scene):
        return ok("Docker holds the published ports.")
    started = runs(scene)
    taken = []
    for component in COMPONENTS.values():
        if component.name in started or not is_wanted(scene.stack, component.name):
            continue
        taken += [(scene.stack.port(name), component.name) for name in component.ports if not is_free(scene.stack.port(name))]
    if not taken:
        return ok("Every port is free, or held by the stack itself.")
    return [
        Finding(
            Level.PROBLEM,
            f"Port {number} of {component} is in use.",
            f"{owner_of(number)} listens there.",
            "Stop it, or shift all ports of this stack: STACK_PORT_OFFSET=100 in .env.",
        )
        for number, component in taken
    ]


def versions(scene: Scene) -> list[Finding]:
    """Python and its packages as pinned, and a usable source for each component."""
    found = [*_python(), *_packages()]
    if scene.mode is Mode.NATIVE:
        for name, reason in choose(scene.stack, strict=False).skipped.items():
            title, text = COMPONENTS[name].title, f"{COMPONENTS[name].title} can't run here."
            if COMPONENTS[name].optional:
                found.append(Finding(Level.NOTE, f"{title} is left out: {reason}.", fix="Install it and run `make up` again."))
            else:
                found += problem(text, f"{reason}.", "docs/troubleshooting.md names the package; install it and run `make up` again.")
    return found or ok(f"Python {sys.version.split()[0]}, and all packages as pinned.")


def clock(scene: Scene) -> list[Finding]:
    """The clock is later than this code, agrees with Prometheus, and something keeps it right."""
    now, written = time.time(), (CHECKOUT / "pyproject.toml").stat().st_mtime
    if now < written - MOST_SKEW_SECONDS:
        return problem(
            "The clock is behind the files of this checkout.",
            "It was never set, or went back: records get dates of the past, and tokens of users are refused.",
            "Set it, and keep it: timedatectl set-ntp true",
        )
    try:
        url = f"{scene.stack.url('prometheus')}/api/v1/query?query="
        theirs = float(ask_json(f"{url}time()")["data"]["result"][1])
        synced = ask_json(f"{url}min(node_timex_sync_status)")["data"]["result"]
    except (NoAnswerError, KeyError, IndexError, ValueError):
        return ok("The clock is later than this code. Prometheus does not answer, so nothing else was compared.")
    if abs(theirs - time.time()) > MOST_SKEW_SECONDS + time.time() - now:
        return problem(
            f"This clock and that of Prometheus differ by {abs(theirs - now):.0f} s.",
            "The stack runs elsewhere, and one of the two clocks is wrong: rules and log lines do not fit together.",
            "Keep both right: timedatectl set-ntp true",
        )
    if synced and synced[0]["value"][1] == "0":
        return note("The clock agrees with Prometheus; the kernel says that nothing keeps it right.", "timedatectl set-ntp true")
    return ok("The clock agrees with Prometheus.")


def _python() -> list[Finding]:
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return []
    return problem(f"Python is {sys.version.split()[0]}.", "The code needs 3.11 or newer.", "make up PYTHON=/path/to/python3.11")


def _packages() -> list[Finding]:
    """Pinned packages that are missing or of another version."""
    pinned = CHECKOUT / "requirements" / "base.txt"
    wrong = []
    for line in pinned.read_text(encoding="utf-8").splitlines() if pinned.exists() else ():
        name, equal, rest = line.partition("==")
        if not equal or name.startswith((" ", "#", "-")):
            continue
        wanted, name = rest.split()[0].rstrip("\\").rstrip(";"), name.split("[")[0]
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            if " ; " not in f" {rest}":  # a marker: for other systems
                wrong.append(f"{name} is missing")
            continue
        if there != wanted:
            wrong.append(f"{name} is {there}, pinned is {wanted}")
    if not wrong:
        return []
    return problem(
        f"{len(wrong)} packages are not as pinned: {'; '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}.",
        "requirements/ changed after .venv was made.",
        "touch requirements/dev.txt && make venv",
    )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder
