"""The dashboard Top errors: which failures there are, how often, since when, and whom they hurt. From Elasticsearch."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import table

from grafana.generator import shared as s
from grafana.generator.elastic import FIRST_SEEN, LAST_SEEN, SOMEBODY, counted, grouped, lines, terms_variable
from grafana.generator.elastic import rows as documents
from grafana.generator.layout import fill
from grafana.generator.links import error_tracker_link, runbook_url, story_link
from grafana.generator.log_panels import LEVELS, Column, bars, linked, log_lines, rows, total

UID: Final = "nobet-top-errors"

_SERVICES: Final = "service_name:${service:lucene}"
_ERRORS: Final = f"{_SERVICES} AND log_level:(error OR critical)"
_TROUBLE: Final = f"{_SERVICES} AND log_level:(warning OR error OR critical)"
_NONE: Final = "No errors"
_FINGERPRINT: Final = ("event", "error_type", "error_location")
_SEEN: Final[dict[str, Column]] = {
    "Count": ("Records", "short"),
    SOMEBODY: ("Users", "short"),
    FIRST_SEEN: ("First", "dateTimeFromNow"),
    LAST_SEEN: ("Last", "dateTimeFromNow"),
}
_WHAT: Final[dict[str, Column]] = {"event": ("Event", ""), "error_type": ("Error", ""), "error_location": ("Place", "")}


def top_errors() -> d.Dashboard:
    """Which errors come most often, and which are new?"""
    board = s.dashboard(
        UID,
        "Top errors",
        "Which errors come most often, which are new, and whom do they hurt? From the log records in Elasticsearch.",
        runbook_url(),
        variables=(terms_variable("service", "Service", "service_name"),),
    ).time("now-6h", "now")
    return fill(board.link(error_tracker_link()), _glance(), ("Kinds of errors", _kinds()), ("Where", _places()), ("One by one", _single()))


def _glance() -> list[s.Panel]:
    return [
        total(
            "Errors",
            "Records of level error and critical in the time range shown.",
            "short",
            counted(_ERRORS),
            s.no_limits(),
            calc="sum",
            empty=_NONE,
        ),
        total(
            "Critical",
            "Records of level critical in the time range shown: the service itself is in danger.",
            "short",
            counted(f"{_SERVICES} AND log_level:critical"),
            s.limits(0.5, 1),
            calc="sum",
            empty="None",
        ),
        total(
            "Kinds of errors",
            "Different exceptions in the time range shown, by class.",
            "short",
            grouped(f"{_ERRORS} AND error_type:*", ("error_type",), size=100),
            s.no_limits(),
            calc="count",
            empty=_NONE,
        ).reduce_options(s.only_field("Count", "count")),
        total(
            "Users hurt",
            "Most users of one service with an error record. Records of people who are not signed in have no user.",
            "short",
            grouped(f"{_ERRORS} AND user_id:*", ("service_name",)),
            s.limits(10, 100),
            calc="max",
            empty="Nobody",
        ).reduce_options(s.only_field(SOMEBODY, "max")),
        total(
            "Newest",
            "When the newest error was written.",
            "dateTimeFromNow",
            grouped(_ERRORS, ("service_name",)),
            s.no_limits(),
            calc="max",
            empty=_NONE,
        ).reduce_options(s.only_field(LAST_SEEN, "max")),
        total(
            "Warnings",
            "Records of level warning in the time range shown: requests went on in spite of something.",
            "short",
            counted(f"{_SERVICES} AND log_level:warning"),
            s.no_limits(),
            calc="sum",
            empty="None",
        ),
    ]


def _kinds() -> list[s.Panel]:
    by_level = bars(
        "Trouble by level",
        "Records of level warning, error and critical in each interval.",
        counted(_TROUBLE, "log_level"),
        empty="No trouble",
        colours=LEVELS,
    )
    by_event = bars(
        "Errors by event",
        "Error records in each interval, by what happened.",
        counted(_ERRORS, "event"),
        empty=_NONE,
    )
    return [
        by_level,
        by_event,
        _linked_kinds(
            rows(
                "Most frequent",
                "Errors that are alike: same event, class and place in the code. Users: how many different ones met it.",
                grouped(_ERRORS, _FINGERPRINT),
                {**_WHAT, **_SEEN},
                empty=_NONE,
                sort="Records",
            )
        ),
        _linked_kinds(
            rows(
                "Newest kinds",
                "The same, what began last first: after a deployment the place to look. First seen within the time range shown.",
                grouped(_ERRORS, _FINGERPRINT, newest_first=True),
                {**_WHAT, **_SEEN},
                empty=_NONE,
                sort="First",
            )
        ),
    ]


def _places() -> list[s.Panel]:
    by_endpoint = rows(
        "By endpoint",
        "Error records of each service and route.",
        grouped(f"{_ERRORS} AND endpoint:*", ("endpoint", "service_name")),
        {"service_name": ("Service", ""), "endpoint": ("Endpoint", ""), **_SEEN},
        empty=_NONE,
        sort="Records",
    )
    by_dependency = rows(
        "What dependencies answered",
        "Warnings and errors with the code or the reason that a dependency gave.",
        grouped(f"{_TROUBLE} AND error_code:*", ("error_code", "event")),
        {"event": ("Event", ""), "error_code": ("Code", ""), **_SEEN},
        empty="No dependency failed",
        sort="Records",
    )
    return [
        linked(by_endpoint, "Endpoint", [s.logs_link("Log records", 'endpoint:"${__value.text}" AND log_level:(error OR critical)')]).span(
            12
        ),
        linked(by_dependency, "Code", [s.logs_link("Log records", 'error_code:"${__value.text}"')]).span(12),
    ]


def _single() -> list[s.Panel]:
    newest = rows(
        "Latest exceptions",
        "The newest error records with an exception. An id opens everything about that request: records, trace, what came before.",
        documents(f"{_ERRORS} AND error_type:*", s.LOGS, limit=50),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "service_name": ("Service", ""),
            "endpoint": ("Endpoint", ""),
            "error_type": ("Error", ""),
            "error_message": ("Message", ""),
            "error_location": ("Place", ""),
            "user_id": ("User", ""),
            "request_id": ("Id", ""),
        },
        empty=_NONE,
    )
    stacks = log_lines(
        "Latest stack traces",
        "Records with a stack trace, newest first. Open one: `traceback` has the stack, `trace_id` leads to its trace.",
        lines(f"{_TROUBLE} AND traceback:*", limit=100),
    )
    return [linked(newest, "Id", [story_link()]), stacks]


def _linked_kinds(panel: table.Panel) -> table.Panel:
    linked(panel, "Place", [s.logs_link("Log records", 'error_location:"${__value.text}"')])
    linked(panel, "Error", [s.logs_link("Log records", 'error_type:"${__value.text}"')])
    return linked(panel, "Event", [s.logs_link("Log records", 'event:"${__value.text}" AND log_level:(error OR critical)')])
