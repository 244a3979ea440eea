"""The telemetry contract: every log field, metric, event and span name of the stack, declared once.

The formatter, the Elasticsearch index template, the metric objects, `docs/telemetry.md`
and the checks of rules and dashboards are all made from these declarations. A name
that isn't here doesn't exist: an undeclared metric can't be created, an undeclared
log field ends up under `extra`.
"""

from app.core.telemetry.events import EVENTS, Event
from app.core.telemetry.fields import FIELDS, LogField
from app.core.telemetry.metrics import METRICS, Metric
from app.core.telemetry.spans import SPANS, Span

__all__ = ["EVENTS", "FIELDS", "METRICS", "SPANS", "Event", "LogField", "Metric", "Span"]
