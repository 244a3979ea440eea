"""Gets what components run from: Debian packages, Maven, Go, npm, pip. One home folder per source, cached by version."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.install import apt, go, maven, npm, pip
from app.stack.install.tools import go_version
from app.stack.model import Apt, Component, Go, Installed, Maven, Npm, Own, Pip, Source
from app.stack.paths import CHECKOUT

Report = Callable[[str], None]

_POLITE: Final = 10
"""Niceness of a build that nobody waits for: what already runs goes first."""


def unusable(source: Source) -> str:
    """Why `source` can't be used on this machine, as a clause; empty when it can."""
    match source:
        case Apt():
            return "" if shutil.which("apt-get") and shutil.which("dpkg") else "apt-get and dpkg are not on the PATH"
        case Maven():
            return maven.unusable()
        case Go(oldest=oldest):
            return "" if go_version() >= oldest else f"go {oldest[0]}.{oldest[1]} or newer is not on the PATH"
        case Npm():
            return "" if shutil.which("npm") and shutil.which("node") else "npm and node are not on the PATH"
        case Pip():
            return pip.unusable()
        case Installed(program=program):
            return "" if shutil.which(program) else f"{program} is not on the PATH"
        case Own(module=module):
            return "" if _importable(module) else f"{module} is not in this checkout"


def home_of(source: Source, component: Component, cache: Path) -> Path:
    """The folder in which `source` ends up; exists only when it is installed completely."""
    match source:
        case Apt():
            return apt.home(component.name, cache)
        case Maven(artifact=artifact, version=version):
            return cache / f"{artifact}-{version}"
        case Go(version=version) | Npm(version=version) | Pip(version=version):
            return cache / f"{component.name}-{version}"
        case Installed():
            return Path("/")
        case Own():
            return CHECKOUT


def is_installed(source: Source, component: Component, cache: Path) -> bool:
    """Whether nothing needs to be fetched or built."""
    return not unusable(source) if isinstance(source, Installed | Own) else home_of(source, component, cache).is_dir()


def install(source: Source, component: Component, cache: Path, report: Report) -> Path:
    """Get `source` unless it is there; returns its home. `report` is told what is going on. Raises StackError."""
    home = home_of(source, component, cache)
    match source:
        case Apt():
            apt.install(source, home, cache, report)
        case Maven():
            maven.install(source, home, cache, report)
        case Go():
            go.build(source, home, cache, report, nice=_POLITE if component.background else 0)
        case Npm():
            npm.install(source, home, cache, report)
        case Pip():
            pip.install(source, home, cache, report)
        case Installed() | Own():
            pass
    return home


def program_of(source: Source, home: Path, python: str) -> str:
    """The path of the program inside an installed source. The newest where a pattern fits several."""
    match source:
        case Own():
            return python
        case Installed(program=program):
            return shutil.which(program) or program
        case _:
            if "*" not in source.program:
                return str(home / source.program)
            found = sorted(home.glob(source.program))
            return str(found[-1]) if found else str(home / source.program)


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
