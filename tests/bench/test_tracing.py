"""One trace from the publisher through the queue into the worker, as a collector receives it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.delivery.relay import PushSettings, Relay
from pipeline.config.pubsub_settings import PubSubAddress
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.tasks import a_task
from tests.support.servers.gunicorn_worker import Worker
from tests.support.waiting import wait_until

PUBLISH = """
import sys
from contextlib import closing
from pipeline.protocol.task_message import decode_task
from pipeline.config.settings import load_settings
from producer.open_publisher import open_publisher
with closing(open_publisher(load_settings())) as publisher:
    publisher.publish([decode_task(sys.stdin.buffer.read())])
"""


@dataclass
class Collector:
    """Takes OTLP over HTTP."""

    spans: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]

    def find(self, service: str, name: str) -> Any:
        return next((span for owner, span in self.spans if (owner, span.name) == (service, name)), None)


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


def test_one_trace_from_end_to_end(
    address: PubSubAddress, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    digest = save_tiny(tmp_path / "models")
    settings = {"DIPTYCH_BROKER_URL": address.url, "DIPTYCH_TRACING": "otlp"}
    subprocess.run(
        [sys.executable, "-c", PUBLISH],
        input=a_task(model_digest=digest).encode(),
        env={**os.environ, **settings},
        timeout=60,
        check=True,
    )
    worker = Worker(tmp_path, tracing="otlp")
    try:
        worker.wait()
        with Relay(address, "diptych-container", PushSettings(worker.url)):
            wait_until(lambda: collector.find("diptych-container", "process task"), "the worker's span")
    finally:
        worker.stop()
    published = collector.find("diptych-producer", "diptych-tasks create")
    process = collector.find("diptych-container", "process task")
    assert (process.trace_id, process.parent_span_id) == (published.trace_id, published.span_id)
    stages = {span.name for _, span in collector.spans if span.parent_span_id == process.span_id}
    assert stages == {"load", "generate", "encode", "store"}
    assert process.trace_id.hex() in worker.text()
