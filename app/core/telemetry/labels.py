"""The labels of our metrics: what each says, and why it has few values."""

from typing import Final

LABELS: Final[dict[str, str]] = {
    "channel": "Way in which the on-call service reaches people: email, slack and others.",
    "close_code": "WebSocket close code of the standard; `other` for one that a client made up, `refused` for an HTTP answer.",
    "dependency": "What the service depends on: database, redis, elasticsearch, voice and others.",
    "direction": "Which way a chat message went: received, sent, delivered.",
    "endpoint": "Route template, such as /posts/{post_id}; paths without a route are one value.",
    "environment": "ENVIRONMENT, such as development or production.",
    "event_type": "A declared tracked event.",
    "exception_type": "Class of the exception.",
    "log_level": "Level in lower case.",
    "method": "HTTP method; `OTHER` for one that a client made up.",
    "model": "Declared model of pictures.",
    "operation": "Kind of the query: select, insert, update, delete, other.",
    "outcome": "How it ended, from the metric's own short list.",
    "reason": "Why it happened, from the metric's own short list.",
    "service_name": "The service that emits it.",
    "severity": "Severity of the alert: critical, warning, info, none.",
    "signal": "What is sent: span or error_event.",
    "source": "Who noticed the event: backend, web, mobile.",
    "stage": "Stage of a turn: asr, llm, tts, task.",
    "state": "State of a pooled connection: in_use, idle.",
    "status": "Bulk items: HTTP status of the item, or its class. Tasks: success or failure.",
    "status_code": "HTTP status of the answer.",
    "store": "Where tracked events go: postgres, spool.",
    "task": "Declared business task.",
    "version": "Version of the running build.",
    "way": "How an alert of the process itself went: alertmanager, mail, slack, failed.",
    "worker": "Place of the worker process among its like, oldest first, from 0; a restart makes no new series.",
}
"""Meaning of each label. Never an id, a raw path or a message: each value is a series that is kept for weeks."""
