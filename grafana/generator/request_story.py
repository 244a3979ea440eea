"""The dashboard Request story: everything about one id, in all stores."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.models import dashboard as dm

from grafana.generator import shared as s
from grafana.generator.elastic import DEAD_LETTERS, EVENTS, LAST_SEEN, counted, grouped, largest, lines, terms_variable
from grafana.generator.elastic import rows as documents
from grafana.generator.layout import fill
from grafana.generator.links import error_tracker_link, runbook_url, story_link
from grafana.generator.log_panels import linked, log_lines, rows, total
from grafana.generator.traces import trace_link, waterfall

UID: Final = "nobet-request-story"

_IDS: Final = ("request_id", "client_request_id", "call_sid", "trace_id")
_OF_ID: Final = f"({' OR '.join(f'{field}:${{id:raw}}' for field in _IDS)})"
_ENDS: Final = (
    "event:(http.request.completed OR http.request.failed OR http.request.cancelled OR http.request.timed_out OR websocket.closed)"
)
_NONE: Final = "Nothing is known of this id in the time range"


def request_story() -> d.Dashboard:
    """What happened to this request?"""
    ident = (
        d.TextBoxVariable("id")
        .label("Id")
        .description("Id of a request, a WebSocket session or a call, or of a trace; with * at the end its beginning. * alone: everything.")
        .default_value("*")
    )
    trace = terms_variable("trace", "Trace", "trace_id", f"{_OF_ID} AND trace_id:*", several=False, size=50)
    board = s.dashboard(
        UID,
        "Request story",
        "What happened to this request? One id in all stores: records of every service, trace, errors, tracked events, alerts.",
        runbook_url(),
        variables=(ident, trace),
        select=s.ALL_SERVICES,
    )
    return fill(
        board.link(error_tracker_link()), _glance(), ("Requests", _requests()), ("Records and trace", _told()), ("What else", _beside())
    )


def _glance() -> list[s.Panel]:
    return [
        total(
            "Worst answer",
            "Highest HTTP status among the answers. 5xx: the service failed.",
            "none",
            largest(f"{_OF_ID} AND {_ENDS}", "status_code"),
            s.limits(400, 500),
            calc="max",
            empty="No answer yet",
        ),
        total(
            "Longest",
            "Duration of the longest request. A WebSocket lasts as long as it is open.",
            "ms",
            largest(f"{_OF_ID} AND {_ENDS}", "duration_ms"),
            s.limits(500, 5000),
            calc="max",
            empty="No answer yet",
        ),
        total("Records", "Log records with this id.", "short", counted(_OF_ID), s.no_limits(), calc="sum", empty=_NONE),
        total(
            "Errors",
            "How many of the records are errors.",
            "short",
            counted(f"{_OF_ID} AND log_level:(error OR critical)"),
            s.limits(1, 2),
            calc="sum",
            empty="None",
        ),
        total(
            "Services",
            "How many services wrote something about it.",
            "short",
            grouped(_OF_ID, ("service_name",)),
            s.no_limits(),
            calc="count",
            empty=_NONE,
        ).reduce_options(s.only_field("Count", "count")),
        total(
            "Last record",
            "When the last record of it was written.",
            "dateTimeFromNow",
            grouped(_OF_ID, ("service_name",)),
            s.no_limits(),
            calc="max",
            empty=_NONE,
        ).reduce_options(s.only_field(LAST_SEEN, "max")),
    ]


def _requests() -> list[s.Panel]:
    table = rows(
        "Answers",
        "Each request of the id, in every service that it reached: how it ended and how long it took.",
        documents(f"{_OF_ID} AND {_ENDS}", s.LOGS, limit=100),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "service_name": ("Service", ""),
            "message": ("Request", ""),
            "outcome": ("Outcome", ""),
            "duration_ms": ("Duration", "ms"),
            "user_id": ("User", ""),
            "request_id": ("Id", ""),
            "trace_id": ("Trace", ""),
        },
        empty=_NONE,
    )
    linked(table, "Id", [story_link()])
    return [linked(table, "Trace", [trace_link()]).height(7)]


def _told() -> list[s.Panel]:
    return [
        waterfall(
            "Trace",
            "Where the time went: the spans of the chosen trace under each other. A span opens its log records.",
            "${trace}",
        ),
        log_lines(
            "Records",
            "What all services wrote about it, oldest first. The stack of an error is in its field `traceback`.",
            lines(_OF_ID),
            oldest_first=True,
        ),
    ]


def _beside() -> list[s.Panel]:
    errors = rows(
        "Errors",
        "The errors of it: class, message and place. The error tracker has each with its variables, under the tag event_id.",
        documents(f"{_OF_ID} AND error_type:*", s.LOGS, limit=50),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "service_name": ("Service", ""),
            "error_type": ("Error", ""),
            "error_message": ("Message", ""),
            "error_location": ("Place", ""),
        },
        empty="No errors",
    )
    queries = rows(
        "Database queries",
        "Queries with their duration. Quick ones are recorded at level DEBUG only; slow and failed ones always.",
        documents(f"{_OF_ID} AND event:(db.query OR db.query.slow OR db.query.failed)", s.LOGS, limit=100),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "operation": ("Operation", ""),
            "statement": ("Statement", ""),
            "duration_ms": ("Duration", "ms"),
            "rows": ("Rows", "short"),
        },
        empty="No slow queries",
    )
    tracked = rows(
        "Tracked events",
        "What the person did, as the product counts it.",
        documents("request_id:${id:raw}", EVENTS, limit=100),
        {
            "timestamp": ("Time", "dateTimeAsIso"),
            "event_type": ("Event", ""),
            "source": ("Noticed by", ""),
            "user_ref": ("User (pseudonym)", ""),
            "request_id": ("Id", ""),
        },
        empty="No tracked events",
    ).datasource(EVENTS)
    dead = rows(
        "Dead letters",
        "Records of it that Elasticsearch refused: what is missing above.",
        documents(_OF_ID, DEAD_LETTERS, limit=50),
        {
            "dead_at": ("Refused", "dateTimeAsIso"),
            "service_name": ("Service", ""),
            "reason": ("Reason", ""),
            "error_message": ("Elasticsearch said", ""),
        },
        empty="No dead letters",
    ).datasource(DEAD_LETTERS)
    alerts = (
        statetimeline.Panel()
        .title("Alerts")
        .description("Alerts that fired in the time range shown, whatever they are about: it may have been a bad moment for all.")
        .datasource(s.PROMETHEUS)
        .with_target(
            s.query(
                f'max by (alertname, service) (ALERTS{{{s.ALL_SERVICES}, alertstate="firing", alertname!="Watchdog"}})',
                "{{alertname}} {{service}}",
            )
        )
        .mappings([dm.ValueMap(options={"1": dm.ValueMappingResult(text="Fires", color=s.BEYOND, index=0)})])
        .unit("none")
        .no_value("No alert fired")
        .span(24)
        .height(6)
    )
    return [errors.height(7), queries.height(7), tracked.span(12).height(7), dead.span(12).height(7), alerts]
