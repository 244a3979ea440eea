"""Tells the stack how a backup went: a record in its log, and what its alerts on backups look at.

The cleanup process notes both, where it runs: only it can write to the spool and to Elasticsearch in either mode.
"""

import time
from typing import Final

from app.stack.backup.model import Manifest
from app.stack.errors import StackError
from app.stack.mode import Mode
from app.stack.own_command import run_own
from app.stack.stack import Stack

_LONGEST: Final = 500
"""Characters of a failure's sentence in the record."""


def report_success(stack: Stack, mode: Mode, manifest: Manifest) -> bool:
    """Note a backup that is complete. Returns whether that worked."""
    facts = [f"--seconds={manifest.seconds}", f"--size={manifest.file_size}", f"--count={len(manifest.parts)}"]
    return _note(stack, mode, [*facts, f"--name={manifest.name}"])


def report_failure(stack: Stack, mode: Mode, error: BaseException, began: float) -> bool:
    """Note one that failed; `began` is of the monotonic clock."""
    sentence = str(error) if isinstance(error, StackError) else type(error).__name__
    return _note(stack, mode, [f"--seconds={time.monotonic() - began:.3f}", f"--failure={sentence[:_LONGEST]}"])


def _note(stack: Stack, mode: Mode, arguments: list[str]) -> bool:
    try:
        return run_own(stack, mode, "cleanup", ["note-backup", *arguments]) == 0
    except StackError:
        return False  # a backup is not worse for not being noted; the alert on its age says so in time
