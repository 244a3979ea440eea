"""Makes rules and Alertmanager hurry: windows, holding times and waits are shortened by a stated factor, and put back afterwards."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from app.stack.drill.hands import Hands
from app.stack.drill.model import Rule
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack

_SHORT_WINDOW_SECONDS: Final = 300.0
_SCRAPES_IN_A_WINDOW: Final = 6
_SHORTEST_INTERVAL_SECONDS: Final = 1
_HEARTBEAT_SECONDS: Final = 5
_LOAD_SECONDS: Final = 30.0
_TIMES: Final = re.compile(r"(group_wait|group_interval): (\d+)([smh])")


class Pace:
    """Rules and waits of one stack while it is drilled."""

    def __init__(self, hands: Hands, scale: float) -> None:
        self._hands: Final = hands
        self._stack: Final = hands.stack
        self.scale: Final = scale
        self._scrape: Final = scrape_seconds(scale)
        self._loaded: tuple[float, dict[str, float]] | None = None

    def hurry(self) -> None:
        """Scrape as often as the windows need, and let Alertmanager wait as little as the rules do."""
        prometheus = self._stack.paths.etc / "prometheus" / "prometheus.yml"
        text = re.sub(
            r"^(  (?:scrape|evaluation)_interval:) \S+", rf"\1 {self._scrape}s", prometheus.read_text("utf-8"), flags=re.MULTILINE
        )
        text = re.sub(r"^(  scrape_timeout:) \S+", rf"\1 {self._scrape}s", text, flags=re.MULTILINE)
        self._hands.write(prometheus, text, reload="prometheus")
        rules = self._stack.paths.etc / "prometheus" / "rules"
        for path in sorted(rules.glob("*.yml")):
            self._hands.write(path, path.read_bytes())  # noted only, to be put back
        # The last step is undone first, so this reload comes when all rules are back.
        self._hands.journal.plan({"do": "reload", "what": "prometheus"})
        alertmanager = self._stack.paths.etc / "alertmanager" / "alertmanager.yml"
        quick = _TIMES.sub(self._quicker, alertmanager.read_text("utf-8"))
        self._hands.write(
            alertmanager, quick.replace("repeat_interval: 1m", f"repeat_interval: {_HEARTBEAT_SECONDS}s"), reload="alertmanager"
        )

    def use(self, limits: Mapping[str, float], factor: float = 1.0) -> None:
        """Load the rules with these limits moved, at the run's scale times `factor`. Raises StackError when they are not taken."""
        wanted = (self.scale * factor, dict(limits))
        if wanted == self._loaded:
            return
        folder = self._stack.paths.etc / "prometheus" / "rules"
        with tempfile.TemporaryDirectory() as rendered:
            options = [f"--limit={name}={value:.12g}" for name, value in limits.items()]
            options += [f"--scale={wanted[0]:.12g}", f"--scrape-interval={self._scrape}", f"--grafana-url={self._stack.url('grafana')}"]
            command = [sys.executable, "-m", "prometheus.generator", f"--out={rendered}", *options]
            done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                raise StackError(f"The Prometheus rules can't be rendered: {' '.join(done.stderr.split())[-300:]}")
            for path in Path(rendered).glob("*.yml"):
                (folder / path.name).write_bytes(path.read_bytes())
        self.reload()
        self._loaded = wanted

    def reload(self) -> None:
        """Have Prometheus take the rules. Raises StackError when it does not."""
        deadline = time.monotonic() + _LOAD_SECONDS
        while True:
            try:
                answer = self._hands.http.post(f"{self._stack.url('prometheus')}/-/reload")
                if answer.is_success:
                    return
                said = answer.text
            except httpx.HTTPError as error:
                said = str(error)
            if time.monotonic() > deadline:
                raise StackError(f"Prometheus does not take the rules of the drill: {' '.join(said.split())[-300:]}")
            time.sleep(0.5)

    def _quicker(self, match: re.Match[str]) -> str:
        seconds = int(match[2]) * {"s": 1, "m": 60, "h": 3600}[match[3]] * self.scale
        return f"{match[1]}: {max(round(seconds), _SHORTEST_INTERVAL_SECONDS if match[1] == 'group_interval' else 0)}s"


def scrape_seconds(scale: float) -> int:
    """Time between two scrapes, so that the usual window of five minutes has enough of them."""
    return max(1, round(_SHORT_WINDOW_SECONDS * scale / _SCRAPES_IN_A_WINDOW))


def rules_of(stack: Stack) -> list[Rule]:
    """The alert rules that the stack has loaded, in the order of their files."""
    return read_rules(stack.paths.etc / "prometheus" / "rules")


def read_rules(folder: Path) -> list[Rule]:
    """The alert rules of a folder of rule files."""
    found: dict[Rule, None] = {}
    for path in sorted(folder.glob("*.yml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        for rule in (rule for group in content["groups"] for rule in group["rules"] if "alert" in rule):
            found[Rule(rule["alert"], rule["labels"]["severity"], rule["labels"].get("service", ""))] = None
    return list(found)
