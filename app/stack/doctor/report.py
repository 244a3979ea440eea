"""What the doctor found, as a table for people and as JSON for scripts."""

import json
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from app.core.console import inert
from app.stack.doctor.model import Check, Finding, Level, Scene

Result = tuple[Check, Sequence[Finding]]

_MARKS: Final = {Level.OK: ("✓", "green"), Level.NOTE: ("·", "yellow"), Level.PROBLEM: ("✗", "bold red")}
_NAME_COLUMNS: Final = 18


def print_result(console: Console, result: Result) -> None:
    """One check: its name once, and below each problem its cause and its fix."""
    check, findings = result
    name = check.name
    for finding in findings:
        mark, style = _MARKS[finding.level]
        console.print(Text.assemble((f"{mark} ", style), (f"{name:<{_NAME_COLUMNS}}", "bold"), inert(finding.what)), soft_wrap=True)
        for word, text in (("cause", finding.cause), ("fix", finding.fix)):
            if text:
                console.print(Text.assemble(" " * (_NAME_COLUMNS + 2), (f"{word:<6} ", "dim"), inert(text)), soft_wrap=True)
        name = ""


def print_end(console: Console, results: Sequence[Result]) -> None:
    """The verdict, and where to look next."""
    problems = [finding for _, findings in results for finding in findings if finding.level is Level.PROBLEM]
    if not problems:
        console.print(Text("\nNothing is broken.", "green"))
        console.print("Next: make demo sends traffic; nobet story ID shows one request everywhere.")
        return
    many = "problems" if len(problems) > 1 else "problem"
    console.print(Text(f"\n{len(problems)} {many}. Begin with the first: later ones are often its effects.", "bold red"))
    console.print(f"First fix: {inert(problems[0].fix)}", soft_wrap=True)
    console.print("Next: nobet doctor again; docs/troubleshooting.md goes on from there.")


def as_json(scene: Scene, results: Sequence[Result]) -> str:
    """Everything, for scripts."""
    document = {
        "mode": scene.mode.value,
        "healthy": is_healthy(results),
        "checks": [
            {
                "group": check.group,
                "name": check.name,
                "level": finding.level.value,
                "what": finding.what,
                "cause": finding.cause,
                "fix": finding.fix,
            }
            for check, findings in results
            for finding in findings
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def is_healthy(results: Sequence[Result]) -> bool:
    """Whether there is no problem."""
    return all(finding.level is not Level.PROBLEM for _, findings in results for finding in findings)
