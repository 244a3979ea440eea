"""Short ways to say what a check found."""

from app.stack.doctor.model import Finding, Level


def ok(what: str) -> list[Finding]:
    """All is well."""
    return [Finding(Level.OK, what)]


def note(what: str, fix: str = "") -> list[Finding]:
    """Nothing is broken, and it is worth a word."""
    return [Finding(Level.NOTE, what, fix=fix)]


def problem(what: str, cause: str, fix: str) -> list[Finding]:
    """Something is broken: what, why, and what to do."""
    return [Finding(Level.PROBLEM, what, cause, fix)]
