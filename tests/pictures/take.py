"""Takes the picture of a dashboard: all of it, as high as it is, with nothing in motion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.browser import Browser

WIDTH: Final = 1600
HIGHEST: Final = 4000
"""Pixels. What is longer than this nobody looks at in one picture."""

READY_SECONDS: Final = 180
"""Thirty panels with their queries, on a machine that has other work, too."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a dashboard came to in the browser."""

    uid: str
    panels: list[dict[str, str]]
    problems: list[str]

    @property
    def failures(self) -> list[str]:
        """A line for each panel that shows an error, and for each error of the page."""
        failed = [f"{panel['title']} ({panel['type']}): {panel['error']}" for panel in self.panels if panel["state"] == "error"]
        return [*failed, *self.problems]


def show(browser: Browser, address: str, uid: str, query: str = "") -> Shown:
    """Open a dashboard with all rows open and wait until every panel is drawn, empty or failed."""
    browser.resize(WIDTH, 1200)
    browser.open(f"{address}/d/{uid}?still=1{query}", READY_SECONDS)
    return Shown(uid, _value(browser, "window.previewPanels()"), _value(browser, "window.previewProblems()"))


_NO_FOLDERS: Final = r"""
for (const cell of document.querySelectorAll('td')) {
  if (/\/\S*\.py\b/.test(cell.textContent)) cell.textContent = cell.textContent.replace(/(^|\s)\/\S*\/(?=[^\s/]+\.py)/g, '$1…/');
}
"""
"""A picture that others see names no folders of the machine on which it was taken."""


def take(browser: Browser, path: Path) -> None:
    """Write the page that is shown as PNG."""
    browser.run(_NO_FOLDERS)
    height = int(_value(browser, "Math.ceil(document.documentElement.scrollHeight)"))
    browser.resize(WIDTH, min(height, HIGHEST))
    browser.run("new Promise(drawn => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn)), 2500))")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(browser.picture())


def _value(browser: Browser, script: str) -> Any:
    return browser.run(script)
