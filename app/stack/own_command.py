"""Runs a command of one of our own processes where that process runs: with its settings here, or inside its container."""

import os
import subprocess
import sys
from collections.abc import Sequence

from app.stack.components import COMPONENTS
from app.stack.compose import compose_exec
from app.stack.environment import base_environment, environment
from app.stack.mode import Mode, effective
from app.stack.stack import Stack


def run_own(stack: Stack, mode: Mode, component: str, arguments: Sequence[str], secrets: Sequence[str] = ()) -> int:
    """`python -m <the component's module> ARGUMENTS`, with further `secrets` of the stack; its exit code. Raises StackError."""
    declared = COMPONENTS[component]
    handed = {name: stack.secret(name) for name in secrets}
    command = ["-m", f"app.{component}", *arguments]
    if effective(mode, stack) is Mode.COMPOSE:
        return compose_exec(stack, component, ["python", *command], handed)
    env = {**base_environment(), **environment(stack, declared, None), **handed}
    colours = {name: os.environ[name] for name in ("TERM", "COLUMNS", "NO_COLOR") if name in os.environ}
    return subprocess.run([sys.executable, *command], env={**env, **colours}, check=False).returncode
