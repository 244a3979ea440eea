"""From a component's declaration to what is really run."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from app.stack.environment import environment
from app.stack.install import home_of, program_of
from app.stack.install.tools import java_home
from app.stack.model import Component, Go, Maven, Own, Source
from app.stack.privileges import as_ordinary_user, with_share
from app.stack.stack import Stack
from app.stack.strays import MARK


@dataclass(frozen=True, slots=True)
class Command:
    """Arguments, extra environment and working folder of one process."""

    argv: list[str]
    env: dict[str, str]
    folder: Path


def command_of(stack: Stack, component: Component, source: Source) -> Command:
    """How `component` is started from `source`. Raises StackError when it can't be on this machine."""
    home = home_of(source, component, stack.paths.cache)
    program = program_of(source, home, sys.executable)
    arguments = [stack.expand(argument, component.name, home) for argument in component.arguments]
    if component.forks:
        # The launcher stays outside of the user namespace: from inside it could not look at what is left of the last one.
        inside = as_ordinary_user() if component.unprivileged else []
        arguments = [*_launcher(stack, component), *_absolute(inside), program, *arguments]
        program = sys.executable
    elif component.background and isinstance(source, Go):
        program, arguments = sys.executable, [*_launcher(stack, component), program, *arguments]
    elif isinstance(source, Own):
        arguments = [*_launcher(stack, component), program, *arguments]
    prefix: list[str] = []
    if component.unprivileged and not component.forks:
        prefix = as_ordinary_user()
    elif component.overlay_share:
        prefix = with_share(home / "usr" / "share")
    env = {**_server_environment(stack, component, source, home), **environment(stack, component, home)}
    return Command([*prefix, program, *arguments], env, stack.paths.run / component.name)


def _absolute(command: list[str]) -> list[str]:
    """With the program's whole path, as the launcher wants it."""
    return [shutil.which(command[0]) or command[0], *command[1:]] if command else []


def library_path(home: Path) -> str:
    """Folders of the shared libraries in an unpacked Debian tree, as LD_LIBRARY_PATH wants them."""
    return ":".join(str(folder) for folder in sorted(home.glob("usr/lib/*-linux-gnu*")))


def _launcher(stack: Stack, component: Component) -> list[str]:
    return ["-m", "app.stack.launch", component.name, str(stack.paths.cache), str(stack.paths.etc), "--"]


def _server_environment(stack: Stack, component: Component, source: Source, home: Path) -> dict[str, str]:
    libraries = library_path(home)
    env = {MARK: str(stack.paths.root)}
    if libraries:
        env["LD_LIBRARY_PATH"] = libraries
    if component.background or component.forks:
        env["PYTHONPATH"] = stack.expand("{checkout}")
    if isinstance(source, Maven):
        env["ES_JAVA_HOME"] = str(java_home() or "")
        env["ES_TMPDIR"] = str(stack.paths.run / component.name / "tmp")
    return env
