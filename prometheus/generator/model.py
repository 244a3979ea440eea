"""What an alert and a recording rule are, before they become YAML."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import quote

import yaml

Severity = Literal["critical", "warning", "info", "none"]

THRESHOLDS_FILE: Final = Path(__file__).parent.parent / "thresholds.yml"

SINCE_START: Final = 'unless on () (time() - process_start_time_seconds{{job="prometheus"}} < <seconds {}>)'
"""Keeps a rule silent while the stack starts, which takes minutes on a small machine. Prometheus comes up among the first."""

BOARDS: Final[dict[str, tuple[str, ...]]] = {
    "nobet-api-performance": ("service", "env"),
    "nobet-error-rate": ("service", "env"),
    "nobet-general-system-health": ("service", "env"),
    "nobet-log-pipeline": ("env",),
    "nobet-oncall": ("env",),
    "nobet-performance-analysis": ("service", "env"),
    "nobet-slo": ("service", "env", "slo"),
    "nobet-stores": ("env",),
    "nobet-system": ("env",),
    "nobet-workflow-analysis": ("service", "env"),
}
"""The dashboards that alerts lead to, by uid, and which of their variables an alert can fill."""

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d+)(ms|s|m|h|d)")
_MARK: Final = re.compile(r"<(seconds |percent )?(\d+(?:ms|s|m|h|d)|ALERT_[A-Z0-9_]+)>")
_INTERVAL: Final = re.compile(r"<interval( seconds)?>")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule and what its reader needs at night.

    `expr` is PromQL in which `<5m>` is a window, `<seconds 5m>` the same as a
    number of seconds, `<ALERT_…>` a limit, `<percent ALERT_…>` a ratio in
    percent, and `<interval>` the time between two scrapes. `hold` is its `for`: a duration,
    or the name of a limit in minutes. `service` names the service when the
    series don't carry the label. `look` is the PromQL that Explore opens with.
    `board` is the dashboard that shows it, where that isn't the one of the
    group; empty when none does: then Explore takes its place.
    """

    name: str
    severity: Severity
    expr: str
    hold: str
    summary: str
    description: str
    means: str
    steps: tuple[str, ...]
    service: str = ""
    look: str = ""
    keep: str = ""
    board: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One recording rule, named level:metric:operation."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together and stand in one file."""

    name: str
    rules: tuple[Alert | Record, ...]
    interval: str = ""
    """Time between two evaluations, where it isn't Prometheus' own; scaled like a window."""
    board: str = ""
    """The dashboard that shows what its alerts are about; a name of BOARDS."""

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts of the group, in order."""
        return tuple(rule for rule in self.rules if isinstance(rule, Alert))


class Context:
    """Limits, links and time scale that turn declarations into rules.

    `scale` shortens every window and holding time; a window is never shorter
    than four scrapes, which rate() needs. `moved_limits` replace those of the file,
    for a drill. Unknown limits raise KeyError.
    """

    def __init__(
        self,
        thresholds: Path = THRESHOLDS_FILE,
        scale: float = 1.0,
        scrape_interval: float = 15.0,
        grafana_url: str = "",
        moved_limits: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        declared = yaml.safe_load(thresholds.read_text(encoding="utf-8"))
        self._limits: dict[str, float] = {name: float(entry["value"]) for name, entry in declared["limits"].items()}
        unknown = moved_limits.keys() - self._limits.keys()
        if unknown:
            raise KeyError(f"unknown limits: {', '.join(sorted(unknown))}")
        self._limits.update(moved_limits)
        self._links: dict[str, str] = declared["links"]
        self._scale = scale
        self._scrape_interval = scrape_interval
        self._shortest_window = 4 * scrape_interval
        self._grafana_url = (grafana_url or self._links["GRAFANA_URL"]).rstrip("/")
        self.used: set[str] = set()

    def limit(self, name: str) -> float:
        """The value of a limit."""
        self.used.add(name)
        return self._limits[name]

    def window(self, duration: str) -> float:
        """Length of a range in seconds, scaled."""
        return max(parse_duration(duration) * self._scale, self._shortest_window)

    def hold(self, duration: str) -> str:
        """A holding time, scaled. A name stands for a limit in minutes."""
        seconds = self.limit(duration) * 60 if duration.startswith("ALERT_") else parse_duration(duration)
        return format_duration(seconds * self._scale)

    def promql(self, expr: str) -> str:
        """The expression with its marks filled in."""

        def fill(match: re.Match[str]) -> str:
            form, mark = (match[1] or "").strip(), match[2]
            if mark.startswith("ALERT_"):
                return format_number(self.limit(mark) * {"percent": 100, "seconds": 60 * self._scale}.get(form, 1))
            seconds = self.window(mark)
            return format_number(seconds) if form else format_duration(seconds)

        def every(match: re.Match[str]) -> str:
            return format_number(self._scrape_interval) if match[1] else format_duration(self._scrape_interval)

        marked = _INTERVAL.sub(every, expr.strip())
        return _MARK.sub(fill, marked)

    def runbook(self, name: str) -> str:
        """Address of an alert's heading in the runbook."""
        return f"{self._links['RUNBOOK_URL']}#{name.lower()}"

    def dashboard(self, board: str) -> str:
        """Address of a dashboard with the variables that it has and the alert's series fill. Unknown ones raise KeyError."""
        filled = "&".join(f"var-{name}={{{{ $labels.{name} }}}}" for name in BOARDS[board])
        return f"{self._grafana_url}/d/{board}?{filled}"

    def explore(self, look: str) -> str:
        """Address of Grafana's Explore with a query."""
        query = {"refId": "A", "expr": self.promql(look)}
        panes = {"a": {"datasource": "prometheus", "queries": [query], "range": {"from": "now-3h", "to": "now"}}}
        return f"{self._grafana_url}/explore?schemaVersion=1&orgId=1&panes={quote(json.dumps(panes, separators=(',', ':')), safe='')}"


def parse_duration(text: str) -> float:
    """Seconds of a Prometheus duration such as 1h30m. Raises ValueError on anything else."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 90s or 1h30m")
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def format_duration(seconds: float) -> str:
    """A Prometheus duration, exact to the millisecond: 90 is 1m30s."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86400_000), ("h", 3600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_number(value: float) -> str:
    """A number as people write it: 5 rather than 5.0."""
    return f"{value:.12g}"
