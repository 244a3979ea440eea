"""Debian packages without root: downloaded with `apt-get download`, unpacked with `dpkg -x`, never installed.

apt's own lists serve when they know the packages. Where they are missing or
outdated, fresh ones are fetched into the cache; the system's stay as they are.
"""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.stack.errors import StackError
from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.model import Apt

_LIBRARY: Final = re.compile(r"^lib(?!c6$)")
"""Of all that a package depends on, only libraries are fetched, and never the C library itself."""

_one_client = threading.Lock()
"""apt's download folder takes one client at a time."""


def home(component: str, cache: Path) -> Path:
    """The root of the unpacked tree of a component."""
    return cache / "apt" / component


def install(source: Apt, entry: Path, cache: Path, report: Callable[[str], None]) -> None:
    """Unpack the packages of `source`, and the libraries that this machine lacks, into `entry`. Raises StackError."""
    with locked(entry):
        if entry.is_dir():
            return
        with _one_client:
            state = _State(cache / "apt")
            names = state.resolve(source.packages, libraries=source.libraries, report=report)
            report(f"downloading {', '.join(names[:2])}" + (f" and {len(names) - 2} more" if len(names) > 2 else ""))
            archives = state.download(names)
        report("unpacking")
        with fresh_entry(entry) as building:
            for archive in archives:
                run_client(["dpkg", "-x", str(archive), str(building)], what=f"Unpacking {archive.name}")


class _State:
    """apt with a download folder, and if need be package lists, of our own."""

    def __init__(self, folder: Path) -> None:
        self._known: set[str] = set()
        self._archives = folder / "archives"
        self._state = folder / "state"
        for part in ("archives/partial", "state/lists/partial", "state/cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        # A cache of our own, because an ordinary user can't write apt's, and without one each call reads all lists anew.
        self._options = ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-o", f"Dir::Cache={self._state / 'cache'}"]
        if any((self._state / "lists").glob("*_Packages*")):
            self._use_own_lists()

    def resolve(self, packages: Sequence[str], *, libraries: bool, report: Callable[[str], None]) -> list[str]:
        """Names of the packages to fetch: one of each group of alternatives, and missing libraries."""
        if not self._knows(packages):
            report("fetching package lists")
            self._refresh()
            self._knows(packages)
        unknown = [group for group in packages if not self._first_known(group)]
        if unknown:
            raise StackError(f"apt knows no package {', '.join(unknown)}. Check that the apt sources include Debian's main section.")
        chosen = [self._first_known(group) for group in packages]
        return [*chosen, *(name for name in self._missing(chosen) if name not in chosen)] if libraries else chosen

    def download(self, names: list[str]) -> list[Path]:
        """Fetch packages; returns the archives. Tries once more with fresh lists, because old ones name removed files."""
        try:
            return self._download(names)
        except StackError:
            self._refresh()
            return self._download(names)

    def _download(self, names: list[str]) -> list[Path]:
        folder = self._archives / "-".join(sorted(names)[:1])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        run_client(["apt-get", *self._options, "download", "-qq", *names], what=f"Downloading {', '.join(names)}", folder=folder)
        return sorted(folder.glob("*.deb"))

    def _refresh(self) -> None:
        self._use_own_lists()
        command = ["apt-get", *self._options, "update", "-qq", "-o", "Acquire::Retries=1"]
        # One unreachable source among several is no reason to stop: what matters is whether the packages are known then.
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False)

    def _use_own_lists(self) -> None:
        self._options += ["-o", f"Dir::State::lists={self._state / 'lists'}"]

    def _knows(self, packages: Sequence[str]) -> bool:
        """Ask apt about all candidates at once, for each call reads the whole list; whether it has one of each group."""
        names = [name for group in packages for name in group.split("|")]
        policy = run_client(["apt-cache", *self._options, "policy", *names], what="apt-cache policy")
        found = re.findall(r"^(\S+):\n(?:.*\n)*?  Candidate: (\S+)", policy, re.MULTILINE)
        self._known = {name for name, candidate in found if candidate != "(none)"}
        return all(self._first_known(group) for group in packages)

    def _first_known(self, group: str) -> str:
        return next((name for name in group.split("|") if name in self._known), "")

    def _missing(self, names: list[str]) -> list[str]:
        """Libraries that installing `names` would bring to this machine."""
        command = ["apt-get", *self._options, "install", "-s", "-qq", "--no-install-recommends", *names]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
        # "Inst name (…" is new; "Inst name [old] (…" would only be newer than what this machine has.
        planned = re.findall(r"^Inst (\S+) \(", done.stdout, re.MULTILINE)
        return [name for name in planned if _LIBRARY.match(name)]
