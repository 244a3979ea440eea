"""Ends the bench in order when it is told to: what it started is stopped, temporary folders are removed."""

import signal
import sys


def stop_in_order() -> None:
    """Let SIGTERM unwind the program as Ctrl-C does, so that no server stays behind."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
