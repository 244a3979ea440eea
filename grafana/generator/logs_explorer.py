"""The dashboard Logs explorer: every log record, to be narrowed down by service, level and any search."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.elastic import DEAD_LETTERS, FIRST_SEEN, LAST_SEEN, counted, grouped, lines, terms_variable
from grafana.generator.elastic import rows as documents
from grafana.generator.layout import fill
from grafana.generator.links import runbook_url, story_link
from grafana.generator.log_panels import LEVELS, Column, bars, linked, log_lines, rows, total

UID: Final = "nobet-logs-explorer"

_CHOSEN: Final = "service_name:${service:lucene} AND log_level:${level:lucene} AND (${search:raw})"
_NONE: Final = "No records"


def logs_explorer() -> d.Dashboard:
    """What did the services write?"""
    search = (
        d.TextBoxVariable("search")
        .label("Search")
        .description('Lucene: a word, "words in this order", an id, endpoint:"/feed", duration_ms:>500, trace_id:4bf9*. * finds all.')
        .default_value("*")
    )
    board = s.dashboard(
        UID,
        "Logs explorer",
        "What did the services write? All log records, by service, level, route, id or any word.",
        runbook_url(),
        variables=(terms_variable("service", "Service", "service_name"), terms_variable("level", "Level", "log_level"), search),
    )
    return fill(board, _glance(), ("Records", _records()), ("Sorted", _sorted()))


def _glance() -> list[s.Panel]:
    volume = bars(
        "Records by level",
        "Log records in each interval that the choices above find.",
        counted(_CHOSEN, "log_level"),
        empty=_NONE,
        colours=LEVELS,
    )
    numbers: list[s.Panel] = [
        total("Records", "How many the choices above find.", "short", counted(_CHOSEN), s.no_limits(), calc="sum", empty=_NONE).span(6),
        total(
            "Errors",
            "How many of them are errors.",
            "short",
            counted(f"{_CHOSEN} AND log_level:(error OR critical)"),
            s.limits(1, 100),
            calc="sum",
            empty="None",
        ).span(6),
        total(
            "Newest",
            "When the newest of them was written. Records arrive within about two seconds; a page when none arrives for 10 minutes.",
            "dateTimeFromNow",
            grouped(_CHOSEN, ("service_name",)),
            s.no_limits(),
            calc="max",
            empty=_NONE,
        )
        .reduce_options(s.only_field(LAST_SEEN, "max"))
        .span(6),
        total(
            "Dead letters",
            "Records of the time range shown that Elasticsearch refused; they are below, not among the records.",
            "short",
            counted("*", source=DEAD_LETTERS),
            s.limits(0.5, 100),
            calc="sum",
            empty="None",
        )
        .datasource(DEAD_LETTERS)
        .span(6),
    ]
    return [*numbers, volume.span(24).height(7)]


def _records() -> list[s.Panel]:
    return [
        log_lines(
            "Log records",
            "Newest first. Open one for all its fields: trace_id leads to its trace, request_id to the whole story of the request.",
            lines(_CHOSEN),
        ).height(16)
    ]


def _sorted() -> list[s.Panel]:
    seen: dict[str, Column] = {
        "Count": ("Records", "short"),
        FIRST_SEEN: ("First", "dateTimeFromNow"),
        LAST_SEEN: ("Last", "dateTimeFromNow"),
    }
    by_event = rows(
        "What happened",
        "Events by how often they were written, with the service. docs/telemetry.md says what each means.",
        grouped(_CHOSEN, ("event", "service_name"), size=100),
        {"event": ("Event", ""), "service_name": ("Service", ""), **seen},
        empty=_NONE,
        sort="Records",
    )
    by_endpoint = rows(
        "Routes",
        "Records by route and level.",
        grouped(f"{_CHOSEN} AND endpoint:*", ("endpoint", "log_level"), size=50),
        {"endpoint": ("Endpoint", ""), "log_level": ("Level", ""), **seen},
        empty=_NONE,
        sort="Records",
    )
    by_service = bars(
        "Records by service", "Log records in each interval, by who wrote them.", counted(_CHOSEN, "service_name"), empty=_NONE
    )
    dead = rows(
        "Refused records",
        "What Elasticsearch refused, and what it said. `nobet dead-letters` shows the whole lines and sends them again.",
        documents("*", DEAD_LETTERS, limit=100),
        {
            "dead_at": ("Refused", "dateTimeAsIso"),
            "service_name": ("Service", ""),
            "reason": ("Reason", ""),
            "error_message": ("Elasticsearch said", ""),
            "request_id": ("Id", ""),
        },
        empty="No dead letters",
    ).datasource(DEAD_LETTERS)
    return [
        linked(by_event, "Event", [s.logs_link("Log records", 'event:"${__value.text}"')]).span(12),
        linked(by_endpoint, "Endpoint", [s.logs_link("Log records", 'endpoint:"${__value.text}"')]).span(12),
        by_service,
        linked(dead, "Id", [story_link()]).span(12).height(8),
    ]
