"""A stand-in for a trace store: takes spans over OTLP/HTTP and keeps them. What a real store does with them is shown by the e2e tests."""

from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.receiver import Asked, Receiver, Reply


@dataclass(frozen=True)
class ReceivedSpan:
    """What the tests ask a span for."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]
    failed: bool
    raw: str
    """All of it as text, to search for what must not be in it."""


class OtlpSink(Receiver):
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        super().__init__()

    @property
    def endpoint(self) -> str:
        """What to put into OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://{self.address}"

    def answer(self, asked: Asked) -> Reply:
        """Take an export."""
        self.take(asked.body)
        return Reply(body=ExportTraceServiceResponse().SerializeToString(), kind="application/x-protobuf")

    def take(self, body: bytes) -> None:
        """Keep the spans of one export."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(item.value.string_value for item in resource.resource.attributes if item.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {item.key: item.value.string_value for item in span.attributes}
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    failed = span.status.code == Status.STATUS_CODE_ERROR
                    self.spans.append(ReceivedSpan(service, span.name, *ids, attributes, failed, str(span)))

    def of(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace so far."""
        return [span for span in self.spans if span.trace_id == trace_id]
