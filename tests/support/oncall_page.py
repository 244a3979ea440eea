"""The on-call page in a real Chromium, as people use it: keys, a phone's screen, what a screen reader is told."""

import base64
from pathlib import Path
from typing import Any, Final

from tests.support.browser import Browser
from tests.support.waiting import wait_until

LOAD_SECONDS: Final = 30
KEYS: Final = {"Tab": (9, ""), "Enter": (13, "\r")}

CONTRAST: Final = """
(() => {
  const number = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) { const c = number(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > .99) return c.slice(0, 3); } return [255, 255, 255]; };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const a = light(number(getComputedStyle(element).color).slice(0, 3)), b = light(behind(element));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
})()
"""
"""Texts whose contrast is below 4.5 : 1 (WCAG 2.2, AA), each with what it is."""

SMALL: Final = """
[...document.querySelectorAll("button, .button, input, select, summary")]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 80))
"""
"""What a finger can't hit: less than 24 pixels high (WCAG 2.2, AA)."""


class OncallPage(Browser):
    """One page."""

    def visit(self, url: str) -> None:
        """Load it."""

        def is_asked_for() -> bool:
            """Chromium gives up what it asks for when another test adds a network to this machine."""
            return self._command("Page.navigate", url=url).get("errorText") != "net::ERR_NETWORK_CHANGED"

        wait_until(f"{url} is asked for", is_asked_for, LOAD_SECONDS)
        wait_until(f"{url} is loaded", lambda: self.run("location.href") == url and self._is_complete(), LOAD_SECONDS)

    def arrives_at(self, path: str) -> None:
        """Wait until a form or link has led there."""
        wait_until(f"the page {path}", lambda: self.run("location.pathname") == path and self._is_complete(), LOAD_SECONDS)

    def press(self, key: str) -> None:
        """One key, down and up."""
        code, text = KEYS[key]
        for kind in ("rawKeyDown", "char", "keyUp") if text else ("rawKeyDown", "keyUp"):
            self._command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self._command("Input.insertText", text=text)

    def tab_to(self, wanted: str, most: int = 60) -> None:
        """Press Tab until the focus is on something whose text or label begins so."""
        script = "(e => e.labels?.[0]?.textContent || e.textContent || '')(document.activeElement).trim()"
        for _ in range(most):
            self.press("Tab")
            if str(self.run(script)).startswith(wanted):
                return
        raise AssertionError(f"the focus never came to {wanted!r}")

    def screen(self, width: int, height: int, *, phone: bool, dark: bool = False) -> None:
        """The size of the window, and by day or at night."""
        self._command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", features=[scheme])

    def told_to_screen_readers(self) -> list[tuple[str, str]]:
        """Role and name of everything in the accessibility tree that has a role."""
        nodes: list[dict[str, Any]] = self._command("Accessibility.getFullAXTree")["nodes"]
        seen = [node for node in nodes if not node.get("ignored")]
        return [(str(node["role"]["value"]), str(node.get("name", {}).get("value", ""))) for node in seen if "role" in node]

    def photograph(self, path: Path) -> None:
        """The whole page as PNG."""
        image = self._command("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def _is_complete(self) -> bool:
        return bool(self.run("document.readyState === 'complete'"))
