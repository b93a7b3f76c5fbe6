"""Spans with OpenTelemetry. Imported only when tracing is on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pipeline.protocol.outcomes import Outcome, Result
from pipeline.telemetry.spans import DeliverySpan, StageObserver
from pipeline.version import version

SCOPE: Final = "diptych"
NAMES: Final = {"model_load": "load"}
"""Spans that are called otherwise than their stage."""


class OtelSpan:
    """See DeliverySpan.

    Args:
        span: OpenTelemetry's own.
    """

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str | None:
        """See DeliverySpan."""
        found = self._span.get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else None

    def end_with(self, result: Result) -> None:
        """See DeliverySpan."""
        self._span.set_attribute("diptych.outcome", str(result.outcome))
        self._span.set_attribute("diptych.reason", result.reason)
        if result.outcome is Outcome.FAILED or result.at_fault:
            self._span.set_status(Status(StatusCode.ERROR, result.detail))


class OtelTracing:
    """See Tracing.

    Args:
        provider: takes the spans.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer(SCOPE, version())
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def delivery(
        self, traceparent: str | None, attributes: Mapping[str, str | int]
    ) -> Iterator[DeliverySpan]:
        """See Tracing."""
        carrier = {"traceparent": traceparent} if traceparent else {}
        # From an empty context: without a publisher's the trace begins here.
        parent = self._propagator.extract(carrier, context.Context())
        with self._tracer.start_as_current_span(
            "process task",
            parent,
            SpanKind.CONSUMER,
            attributes={"messaging.system": "gcp_pubsub", "messaging.operation": "process", **attributes},
        ) as span:
            yield OtelSpan(span)

    def stages(self) -> StageObserver | None:
        """See Tracing."""
        above = context.get_current()

        def observe(stage: str, seconds: float) -> None:
            if seconds <= 0:
                return  # a model that was loaded already
            end_ns = time.time_ns()
            start_ns = end_ns - int(seconds * 1e9)
            self._tracer.start_span(NAMES.get(stage, stage), above, start_time=start_ns).end(end_ns)

        return observe


def otlp_provider(service: str) -> TracerProvider:
    """What sends spans in batches over OTLP/HTTP, and the rest when the process ends.

    Where to, which headers, sampling and batching: OTEL_EXPORTER_OTLP_ENDPOINT and the other standard
    variables (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).

    Args:
        service: the service's name, unless OTEL_SERVICE_NAME gives one.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
