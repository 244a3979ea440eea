"""Addresses outside Grafana and the limits of the alerts, from the one place that has them, and links between dashboards."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

import yaml
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import dashboard as dm

_THRESHOLDS: Final = Path(__file__).parent.parent.parent / "prometheus" / "thresholds.yml"


def runbook_url() -> str:
    """Address of the runbook."""
    return _address("RUNBOOK_URL")


def error_tracker_link() -> d.DashboardLink:
    """A link in a dashboard's head to the error tracker, where each error has its variables and its history."""
    return (
        d.DashboardLink("Error tracker")
        .type(dm.DashboardLinkType.LINK)
        .url(_address("ERROR_TRACKER_URL"))
        .tooltip("The tag event_id has the id of the request.")
        .icon("external link")
        .target_blank(True)
    )


def limit(name: str) -> float:
    """A limit of the alert rules, so that a panel's line is where the alert is. Raises KeyError when there is none of that name."""
    limits: dict[str, dict[str, float]] = yaml.safe_load(_THRESHOLDS.read_text(encoding="utf-8"))["limits"]
    return float(limits[name]["value"])


def board_link(title: str, uid: str, *, keep: tuple[str, ...] = ("env",), **variables: str) -> d.DashboardLink:
    """A link to another dashboard over the same time. Variables in `keep` stay; of the others `${…}` is Grafana's to fill in."""
    kept = "".join(f"&${{{name}:queryparam}}" for name in keep)
    chosen = "".join(f"&var-{name}={value if value.startswith('${') else quote(value)}" for name, value in variables.items())
    return d.DashboardLink(title).url(f"/d/{uid}?from=${{__from}}&to=${{__to}}{kept}{chosen}").type(dm.DashboardLinkType.LINK)


def rule_link() -> d.DashboardLink:
    """A link from an alert's name in a table to its rule, which links its runbook entry and its dashboard."""
    return d.DashboardLink("Its rule").url("/alerting/list?search=${__value.text:percentencode}").type(dm.DashboardLinkType.LINK)


def story_link(value: str = "${__value.text}") -> d.DashboardLink:
    """A link to the story of the id that `value` stands for."""
    return board_link("Its story", "nobet-request-story", id=value)


def _address(name: str) -> str:
    links: dict[str, str] = yaml.safe_load(_THRESHOLDS.read_text(encoding="utf-8"))["links"]
    return links[name]
