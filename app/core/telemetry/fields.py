"""The fields of a log record, in the order in which they are written.

A value whose Python type doesn't fit the declared one is written under `extra`
instead, so that no caller can break the index mapping.
"""

from dataclasses import dataclass
from typing import Final, Literal

FieldType = Literal["date", "keyword", "level", "text", "long", "float", "boolean", "flattened"]

PYTHON_TYPES: Final[dict[FieldType, tuple[type, ...]]] = {
    "date": (str,),
    "keyword": (str,),
    "level": (str,),
    "text": (str,),
    "long": (int,),
    "float": (float, int),
    "boolean": (bool,),
    "flattened": (dict,),
}
"""What a caller may pass for a field of each type. `bool` is an `int` to Python; the formatter tells them apart."""


@dataclass(frozen=True, slots=True)
class LogField:
    """One field: its Elasticsearch type, whether each record has it, what it means."""

    name: str
    type: FieldType
    meaning: str
    always: bool = False
    reserved: bool = False
    """Written by the pipeline itself; a caller's value of this name goes under `extra`."""


FIELDS: Final[dict[str, LogField]] = {
    field.name: field
    for field in (
        LogField("timestamp", "date", "When the record was written: ISO 8601, UTC, microseconds, fixed width.", always=True, reserved=True),
        LogField("level", "level", "Severity in upper case.", always=True, reserved=True),
        LogField("log_level", "level", "The same severity in lower case.", always=True, reserved=True),
        LogField("service_name", "keyword", "The service that wrote it.", always=True, reserved=True),
        LogField("logger", "keyword", "The module that wrote it.", always=True, reserved=True),
        LogField("event", "keyword", "Machine name of what happened; see Events."),
        LogField("message", "text", "What happened, for people.", always=True, reserved=True),
        LogField("request_id", "keyword", "The id of the request, run or session, from the client or made here."),
        LogField("client_request_id", "keyword", "A second id that the client sent, when its headers disagree."),
        LogField("trace_id", "keyword", "OpenTelemetry trace, 32 hexadecimal digits."),
        LogField("span_id", "keyword", "OpenTelemetry span, 16 hexadecimal digits."),
        LogField("call_sid", "keyword", "The voice call it belongs to."),
        LogField("user_id", "keyword", "The user, as an opaque number or name."),
        LogField("method", "keyword", "HTTP method."),
        LogField("path", "keyword", "Path of the request, without the query."),
        LogField("endpoint", "keyword", "Route template, such as /posts/{post_id}."),
        LogField("status_code", "long", "HTTP status of the answer."),
        LogField("outcome", "keyword", "How it ended: completed, failed, cancelled, timed_out, success, failure …"),
        LogField("duration_ms", "float", "How long it took, in milliseconds."),
        LogField("ttft_ms", "float", "Time until the language model's first token, in milliseconds."),
        LogField("slow", "boolean", "Whether it took longer than its limit."),
        LogField("response_bytes", "long", "Size of the answer's body."),
        LogField("user_agent", "text", "What the client calls itself."),
        LogField("client_ip", "keyword", "Client address in the form that LOG_IP_MODE allows; in the login event only."),
        LogField("close_code", "long", "WebSocket close code."),
        LogField("component", "keyword", "The part of the system that it is about: a dependency, a check, a worker."),
        LogField("operation", "keyword", "Name of the query or the call."),
        LogField("statement", "text", "SQL text without parameters."),
        LogField("rows", "long", "Rows that came back or were changed."),
        LogField("count", "long", "How many it is about."),
        LogField("bytes", "long", "Size in bytes of what it is about."),
        LogField("attempt", "long", "Number of the try, from 1."),
        LogField("error_code", "keyword", "Code that a dependency gave for its failure."),
        LogField("error_type", "keyword", "Class of the exception."),
        LogField("error_message", "text", "Message of the exception, masked."),
        LogField("error_location", "keyword", "Where it was raised: file:line in function."),
        LogField("traceback", "text", "Stack of the exception, masked, without local values."),
        LogField("task", "keyword", "Name of a business task."),
        LogField("stage", "keyword", "Stage of the voice pipeline."),
        LogField("post_id", "keyword", "The post it is about."),
        LogField("chat_id", "keyword", "The chat it is about."),
        LogField("message_id", "keyword", "The chat message it is about; the same on the side of the sender and of each reader."),
        LogField("comment_id", "keyword", "The comment it is about."),
        LogField("image_id", "keyword", "The image it is about."),
        LogField("graphql_operation", "keyword", "Name of the GraphQL operation, as the client calls it."),
        LogField("incident_id", "keyword", "The on-call incident it is about."),
        LogField("alert_name", "keyword", "The alert it is about."),
        LogField("index_name", "keyword", "Elasticsearch index it is about."),
        LogField("segment", "keyword", "Spool segment it is about."),
        LogField("reason", "keyword", "Why it happened, as a short name."),
        LogField("version", "keyword", "Version of the running build."),
        LogField("environment", "keyword", "Name of the environment."),
        LogField("process_id", "long", "Operating-system process."),
        LogField("line_number", "long", "Source line of the call, in console output."),
        LogField("suppressed", "long", "Identical records that were left out since the last one."),
        LogField("extra", "flattened", "Everything that the caller added and that isn't declared here.", reserved=True),
    )
}

ALIASES: Final[dict[str, str]] = {
    "@timestamp": "timestamp",
    "correlation_id": "request_id",
    "event_id": "request_id",
}
"""Other names under which Elasticsearch finds a field: alias fields, not copies."""

RENAMED: Final[dict[str, str]] = {
    "user": "user_id",
    "userId": "user_id",
    "correlation_id": "request_id",
    "event_id": "request_id",
}
"""Names that callers use for a declared field; the formatter writes the declared one."""
