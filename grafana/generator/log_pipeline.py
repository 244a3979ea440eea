"""The dashboard Log pipeline: from the services over the spool to Elasticsearch."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import runbook_url
from grafana.generator.pipeline_panels import delivery, flow, glance, waiting
from grafana.generator.pipeline_store import store

UID: Final = "nobet-log-pipeline"


def log_pipeline() -> d.Dashboard:
    """Does every log record arrive, once, and in time?"""
    board = s.dashboard(
        UID,
        "Log pipeline",
        "Does every log record arrive, once, and in time? From the services over the spool and the shipper to Elasticsearch.",
        runbook_url(),
        variables=(),
        select=s.ALL_SERVICES,
    )
    return fill(board, glance(), ("Flow", flow()), ("Waiting", waiting()), ("Delivery", delivery()), ("Elasticsearch and losses", store()))
