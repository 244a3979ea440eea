"""Options that several commands have."""

from typing import Annotated

import typer

from app.stack.mode import Mode

ModeOption = Annotated[
    Mode, typer.Option(help="native: processes of this machine. compose: containers. auto: containers where Docker answers.")
]
"""Where the stack runs."""
