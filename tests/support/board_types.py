"""Checks dashboards with Grafana's own published TypeScript types."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.paths import CHECKOUT

FOLDER: Final = Path(__file__).with_name("boardtypes")

OPTIONS: Final = "--noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target es2022"

_HEAD: Final = """import type { Dashboard } from '@grafana/schema';
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Board = Plain<Omit<Dashboard, 'templating' | 'annotations'>> & Record<'templating' | 'annotations', unknown>;
"""
"""Enums become their texts, as JSON has them. Variables and annotations belong to the data sources, whose types aren't published."""


def modules() -> Path:
    """The compiler and the types that the lock file names, in the stack's cache. Raises StackError."""
    cache = Path(os.environ.get("STACK_CACHE_DIR") or CHECKOUT / ".stack" / "cache")
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    entry = cache / f"board-types-{wanted['@grafana/schema']}-{wanted['typescript']}"
    with locked(entry):
        if not entry.is_dir():
            with fresh_entry(entry) as building:
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(FOLDER / name, building / name)
                command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={cache / 'npm'}"]
                run_client(command, what="Installing Grafana's types with npm", folder=building)
    return entry / "node_modules"


def faults(boards: dict[str, str], folder: Path) -> list[str]:
    """What the compiler says against dashboards, name → JSON; works in `folder`, which must be empty."""
    installed = modules()
    (folder / "node_modules").symlink_to(installed)
    source = [f"export const board{number}: Board = {text};" for number, text in enumerate(boards.values())]
    (folder / "boards.ts").write_text(_HEAD + "\n".join(source), encoding="utf-8")
    command = [str(installed / ".bin" / "tsc"), *OPTIONS.split(), "boards.ts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0 or said, done.stderr
    return said
