"""The terminal of the stack's commands: `app.core.terminal`, which the commands of our processes share."""

from app.core.terminal import Colour, screen, show

__all__ = ["Colour", "screen", "show"]
