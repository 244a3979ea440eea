"""The dashboard API performance: rate, errors and duration of the HTTP services, and what they depend on."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.api_panels import at_a_glance, inside, traffic
from grafana.generator.api_timing import duration, endpoints
from grafana.generator.layout import fill
from grafana.generator.links import runbook_url

UID: Final = "nobet-api-performance"


def api_performance() -> d.Dashboard:
    """Are users getting answers, right ones, in time?"""
    board = s.dashboard(
        UID,
        "API performance",
        "Are users getting answers, right ones, in time? Rate, errors and duration of the HTTP services.",
        runbook_url(),
    )
    return fill(
        board,
        at_a_glance(),
        ("Traffic and errors", traffic()),
        ("Duration", duration()),
        ("Endpoints", endpoints()),
        ("Inside", inside()),
    )
