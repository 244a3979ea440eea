"""The terminal: whether there are colours, and how wide a line may be."""

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from rich.console import Console

PIPE_COLUMNS: Final = 160
"""A pipe has no width; nothing must be cut for it."""


class Colour(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def show(console: Console, draw: Callable[[Console], None]) -> None:
    """Print what `draw` prints; into a pipe without the spaces at line ends with which tables are filled up."""
    if console.is_terminal:
        draw(console)
        return
    with console.capture() as captured:
        draw(console)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def screen(colour: Colour = Colour.AUTO) -> Console:
    """Standard output as a console.

    `auto` colours a terminal, unless NO_COLOR is set; FORCE_COLOR colours a pipe. Text that stands for itself is never
    taken for markup. Characters that the output can't show are written as escapes.
    """
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    is_terminal = sys.stdout.isatty()
    plain = colour is Colour.NEVER or (colour is Colour.AUTO and bool(os.environ.get("NO_COLOR")))
    forced = colour is Colour.ALWAYS or (not plain and bool(os.environ.get("FORCE_COLOR")))
    console = Console(
        highlight=False,
        markup=False,
        no_color=False if forced else None,
        color_system=None if plain else ("standard" if forced and not is_terminal else "auto"),
        force_terminal=True if forced else None,
    )
    if not is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_COLUMNS
    return console
