"""The dashboard Error rate: what fails, where, and since when."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.error_panels import dependencies, glance, places, ratios
from grafana.generator.layout import fill
from grafana.generator.links import error_tracker_link, runbook_url

UID: Final = "nobet-error-rate"


def error_rate() -> d.Dashboard:
    """What fails, where, and since when?"""
    board = s.dashboard(
        UID,
        "Error rate",
        "What fails, where, and since when? Server and client errors, exceptions, and failures of what the services depend on.",
        runbook_url(),
    )
    return fill(
        board.link(error_tracker_link()), glance(), ("How much", ratios()), ("Where", places()), ("Because of what", dependencies())
    )
