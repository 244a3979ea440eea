"""Records as they come out of Elasticsearch, for tests of what `nobet story` makes of them."""

import datetime as dt
from typing import Any, Final

BEGIN: Final = dt.datetime(2026, 11, 22, 2, 15, 4, 123456, dt.UTC)


def at(seconds: float) -> str:
    """A timestamp so long after the beginning."""
    return (BEGIN + dt.timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(seconds: float, level: str, event: str, service: str = "app", **fields: Any) -> dict[str, Any]:
    """One record."""
    return {"timestamp": at(seconds), "level": level, "service_name": service, "event": event, "message": event, **fields}


def request(
    ident: str,
    *,
    begin: float = 0,
    seconds: float = 0.05,
    status: int = 200,
    path: str = "/suggest",
    service: str = "app",
    outcome: str = "completed",
    span: str = "s1",
    **more: Any,
) -> list[dict[str, Any]]:
    """The first and the last record of a request."""
    fields = {"request_id": ident, "span_id": span, "method": "POST", "path": path}
    level = "ERROR" if status >= 500 else "INFO"
    return [
        record(begin, "INFO", "http.request.started", service, **fields),
        record(
            begin + seconds,
            level,
            f"http.request.{outcome}",
            service,
            **fields,
            endpoint=path,
            status_code=status,
            outcome=outcome,
            duration_ms=seconds * 1000,
            **more,
        ),
    ]


def chat(messages: int, trouble_at: int = -1, close_code: int = 1000) -> list[dict[str, Any]]:
    """A WebSocket session: opened, each message received and delivered, closed; a warning at one of them."""
    fields = {"request_id": "chat1", "span_id": "s1", "method": "WEBSOCKET", "path": "/chat"}
    records = [record(0, "INFO", "websocket.opened", **fields)]
    for number in range(messages):
        records.append(record(number + 0.1, "INFO", "chat.message_received", **fields, count=number))
        records.append(record(number + 0.2, "INFO", "chat.message_delivered", **fields, count=number))
        if number == trouble_at:
            records.append(record(number + 0.3, "WARNING", "token.expired", **fields, user_id="42"))
    end = record(messages + 1, "INFO", "websocket.closed", **fields, endpoint="/chat", close_code=close_code, outcome="completed")
    return [*records, {**end, "duration_ms": (messages + 1) * 1000.0}]
