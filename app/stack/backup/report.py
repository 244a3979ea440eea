"""Tells the stack how a backup went: a record in its log, and what its alert on old backups looks at."""

from app.stack.backup.model import Manifest
from app.stack.mode import Mode
from app.stack.stack import Stack


def report_success(stack: Stack, mode: Mode, manifest: Manifest) -> None:
    """Note a backup that is complete."""


def report_failure(stack: Stack, mode: Mode, error: BaseException) -> None:
    """Note one that failed."""
