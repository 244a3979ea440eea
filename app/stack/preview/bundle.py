"""Builds the page from `grafana/preview` with npm, once for each state of its sources; the result is kept in the cache."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.errors import StackError
from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.paths import CHECKOUT

PROJECT: Final = CHECKOUT / "grafana" / "preview"

OLDEST_NODE: Final = 20
"""The oldest that its makers still care for, and that Grafana's packages and esbuild run on."""

_SOURCES: Final = ("package.json", "package-lock.json", "tsconfig.json", "build.mjs", "index.html")


def bundle_folder(cache: Path) -> Path:
    """Where the page is, once it has been built from the sources as they are now."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return cache / f"preview-{digest.hexdigest()[:16]}"


def build(cache: Path, report: Callable[[str], None]) -> Path:
    """The folder of the built page; builds it where it is missing, about a minute. Raises StackError."""
    entry = bundle_folder(cache)
    with locked(entry):
        if entry.is_dir():
            return entry
        _need_node()
        with fresh_entry(entry) as building:
            work = building / "work"
            for path in _files():
                copy = work / path.relative_to(PROJECT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
            report("fetching the page's packages with npm (400 MB, a minute)")
            install = [
                "npm",
                "ci",
                "--omit=dev",
                "--ignore-scripts",
                "--legacy-peer-deps",
                "--no-audit",
                "--no-fund",
                f"--cache={cache / 'npm'}",
            ]
            run_client(install, what="Fetching the preview's packages with npm", folder=work)
            report("building the page")
            run_client(["npm", "run", "build"], what="Building the preview with npm", folder=work)
            for path in (work / "dist").iterdir():
                path.rename(building / path.name)
            shutil.rmtree(work)
        return entry


def _files() -> list[Path]:
    return sorted([*(PROJECT / name for name in _SOURCES), *(path for path in (PROJECT / "src").rglob("*") if path.is_file())])


def _need_node() -> None:
    advice = f"The preview's page is built with Node {OLDEST_NODE} or later and npm. Install them and run the same command again."
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        raise StackError(f"There is no working `node` on the PATH. {advice}") from None
    found = re.match(r"v(\d+)", said)
    if not found or int(found[1]) < OLDEST_NODE:
        raise StackError(f"`node` is {said.strip()}. {advice}")
