"""Spans of a delivery: below the publisher's trace, one for each piece of work; and nothing when off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from model.errors import UnknownModelError
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import TRACE_ATTRIBUTE, push_body, queued_message
from pipeline.protocol.outcomes import Result
from pipeline.telemetry.opentelemetry_spans import OtelTracing
from pipeline.telemetry.spans import NoTracing
from pipeline.telemetry.tracing import check_tracing
from pipeline.worker.handler import handle_cloud_event, handle_push
from pipeline.worker.runtime import Runtime
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.builders.tasks import a_task
from tests.support.waiting import LIMIT_S

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter) -> Runtime:
    made = a_runtime(tmp_path, monkeypatch, batch_size=2)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made.tracing = OtelTracing(provider)
    return made


def body(traceparent: str | None = f"00-{TRACE}-{SPAN}-01") -> bytes:
    message = queued_message(a_task(), "m1", utc_now())
    if traceparent is not None:
        message["attributes"][TRACE_ATTRIBUTE] = traceparent
    return push_body(message, "s", 1)


def one(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in exporter.get_finished_spans() if span.name == name]
    return found


@pytest.mark.parametrize("handle", [handle_push, handle_cloud_event], ids=["container", "function"])
def test_a_delivery_goes_on_with_the_publisher_s_trace(
    runtime: Runtime, exporter: InMemorySpanExporter, handle: Callable[[bytes, Runtime], Result]
) -> None:
    handle(body(), runtime)
    spans = exporter.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    process = one(exporter, "process task")
    assert process.parent is not None
    assert (f"{process.parent.span_id:016x}", process.kind) == (SPAN, SpanKind.CONSUMER)
    assert process.attributes is not None
    assert process.attributes["diptych.job"] == "job-a"
    assert (process.attributes["diptych.outcome"], process.attributes["messaging.message.id"]) == (
        "done",
        "m1",
    )


def test_each_piece_of_work_has_a_span_inside_it(runtime: Runtime, exporter: InMemorySpanExporter) -> None:
    handle_push(body(), runtime)
    process = one(exporter, "process task")
    below = [span for span in exporter.get_finished_spans() if span is not process]
    names = sorted(span.name for span in below)
    assert names == ["encode"] * 3 + ["generate"] * 2 + ["load"] + ["store"] * 3
    for span in below:
        assert span.parent is not None
        assert span.parent.span_id == process.context.span_id
        assert process.start_time is not None
        assert span.start_time is not None
        assert span.end_time is not None
        assert process.end_time is not None
        # Stages end on one clock and last by another: they may stand apart by a little.
        assert process.start_time - 5_000_000 <= span.start_time <= span.end_time <= process.end_time


@pytest.mark.parametrize("traceparent", [None, "", "junk", f"00-{'0' * 32}-{SPAN}-01"])
def test_without_a_publisher_s_trace_one_begins(
    runtime: Runtime, exporter: InMemorySpanExporter, traceparent: str | None
) -> None:
    for _ in range(2):
        handle_push(body(traceparent), runtime)
    processes = [span for span in exporter.get_finished_spans() if span.name == "process task"]
    assert [span.parent for span in processes] == [None, None]
    assert processes[0].context.trace_id != processes[1].context.trace_id


def test_a_publisher_that_does_not_sample_is_heeded(runtime: Runtime, exporter: InMemorySpanExporter) -> None:
    handle_push(body(f"00-{TRACE}-{SPAN}-00"), runtime)
    assert not exporter.get_finished_spans()


def test_a_failure_is_an_error(
    runtime: Runtime, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_name: str, _digest: str) -> None:
        raise UnknownModelError("no such model")

    monkeypatch.setattr(runtime.engines, "_find", unknown)
    handle_push(body(), runtime)
    assert one(exporter, "process task").status.status_code is StatusCode.ERROR


def test_the_logs_name_the_span_s_trace(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle_push(body(), runtime, trace="0" * 31 + "1")
    assert [getattr(record, "trace", None) for record in caplog.records] == [TRACE]


def test_off_imports_nothing_of_opentelemetry_s_sdk(tmp_path: Path) -> None:
    code = f"""
import sys
from pipeline.worker.runtime import Runtime
from pipeline.config.settings import Settings
runtime = Runtime(Settings(store_url={tmp_path.as_uri()!r}), "container")
with runtime.tracing.delivery(None, {{}}) as span:
    assert span.trace_id is None and runtime.tracing.stages() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert done.stdout.strip() == "[]"


def test_off_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(a_runtime(tmp_path, monkeypatch, engine=QuickEngine()).tracing, NoTracing)


def test_asked_for_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.telemetry.tracing.find_spec", lambda _: None)
    check_tracing(Settings(tracing="off"))
    with pytest.raises(SettingsError, match="pip install") as caught:
        check_tracing(Settings(tracing="otlp"))
    assert "\n" not in str(caught.value)
