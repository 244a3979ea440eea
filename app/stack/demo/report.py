"""What a demonstration says before and after."""

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.stack.demo.scenarios import ALIASES, DEFAULT, SCENARIOS, Scenario
from app.stack.demo.tally import Tally

MOST_IDS: Final = 14


def introduction(name: str, scenario: Scenario, rate: float, seconds: float, url: str) -> RenderableType:
    """What is about to happen, and how to end it."""
    lasts = f"{seconds / 60:.2g} min" if seconds >= 60 else f"{seconds:.0f} s"
    text = Text("Playing ").append(name, "bold").append(f": {scenario.meaning}.\n")
    text.append(f"{rate:g} visits/s at {url} for {lasts}; Ctrl-C ends it in order.\n", "dim")
    return text.append(f"Look at: {scenario.look}", "dim")


def farewell(tally: Tally, scenario: Scenario) -> RenderableType:
    """The counts by kind of visitor, and the ids worth a look."""
    if not tally.requests:
        return Text("No request was sent: the time was too short.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("visitors", no_wrap=True)
    table.add_column("answers", overflow="fold")
    for kind in sorted(tally.kinds):
        answers = Text()
        for outcome, count in tally.kinds[kind].most_common():
            style = "bold yellow" if tally.unintended[kind, outcome] else ""
            answers.append(f"{outcome} × {count}", style).append("  ")
        table.add_row(kind, answers)
    parts: list[RenderableType] = [Text(), table]
    if tally.unintended:
        named = ", ".join(f"{kind} {outcome} × {count}" for (kind, outcome), count in tally.unintended.most_common())
        parts.append(Text(f"\nNot what they came for: {named}", "yellow"))
    if tally.remarkable:
        parts.append(Text("\nWorth a look:"))
        worth = _worth(tally)
        widest = max(len(ident) for _, ident in worth)
        parts += [Text(f"  nobet story {ident:<{widest}}   {what}") for what, ident in worth]
    parts.append(Text(f"\nAnd: {scenario.look}", "dim"))
    return Group(*parts)


def listing() -> RenderableType:
    """All scenarios: a sentence each, and what to look at."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, scenario in SCENARIOS.items():
        about = Text(f"{scenario.meaning}\n").append(
            f"{scenario.rate:g} visits/s, {scenario.minutes:g} min. Look at: {scenario.look}", "dim"
        )
        former = [old for old, new in ALIASES.items() if new == name]
        if former:
            about.append(f" Former name: {', '.join(former)}.", "dim")
        table.add_row(name + (" *" if name == DEFAULT else ""), about)
    return Group(table, Text("* is played when no name is given. Another: nobet demo NAME --rate 10 --minutes 5", "dim"))


def _worth(tally: Tally) -> list[tuple[str, str]]:
    """Surprises first, then failures, then the rest."""

    def order(item: tuple[str, str]) -> tuple[bool, bool, str]:
        kind, _, outcome = item[0].partition(", ")
        return (not tally.unintended[kind, outcome], outcome[:1] != "5", item[0])

    return sorted(tally.remarkable.items(), key=order)[:MOST_IDS]
