"""Runs a command of one of our own processes where that process runs: with its settings here, or inside its container."""

import os
import subprocess
import sys
from collections.abc import Sequence

from app.stack.components import COMPONENTS
from app.stack.compose import compose_exec, secret_texts
from app.stack.environment import base_environment, environment
from app.stack.mode import Mode, effective
from app.stack.stack import Stack


def run_own(stack: Stack, mode: Mode, component: str, arguments: Sequence[str], secrets: Sequence[str] = (), *, module: str = "") -> int:
    """`python -m <the component's module> ARGUMENTS`, with further `secrets` of the stack; its exit code. Raises StackError.

    Another `module` runs where the component does, with its settings.
    """
    declared = COMPONENTS[component]
    handed = {name: _secret(stack, mode, name) for name in secrets}
    command = ["-m", module or f"app.{component}", *arguments]
    if effective(mode, stack) is Mode.COMPOSE:
        return compose_exec(stack, component, ["python", *command], handed)
    env = {**base_environment(), **environment(stack, declared, None), **handed}
    colours = {name: os.environ[name] for name in ("TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR") if name in os.environ}
    return subprocess.run([sys.executable, *command], env={**env, **colours}, check=False).returncode


def _secret(stack: Stack, mode: Mode, name: str) -> str:
    if name != "DATABASE_URL":
        return stack.secret(name)
    if effective(mode, stack) is Mode.COMPOSE:
        return secret_texts(stack)["database_url"]
    return environment(stack, COMPONENTS["app"], None)["DATABASE_URL"]
