"""A stand-in for Cloud Monitoring's timeSeries.list: checks what it is asked, and answers page by page."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INSTANCES = "run.googleapis.com/container/instance_count"
BILLED = "run.googleapis.com/container/billable_instance_time"


@dataclass
class Monitoring:
    """What it was asked, and which service it knows."""

    service: str
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    quotas: list[str | None] = field(default_factory=list)

    def answer(self, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """As the API answers: 400 where it would refuse."""
        conditions = dict(re.findall(r'([\w.]+)="([^"]*)"', query["filter"][0]))
        self.asked.append({**conditions, **{name: values[0] for name, values in query.items()}})
        if query["aggregation.perSeriesAligner"][0] not in ("ALIGN_MAX", "ALIGN_DELTA"):
            return 400, {"error": {"message": "no such aligner"}}
        if conditions["resource.labels.service_name"] != self.service:
            return 200, {}
        if conditions["metric.type"] == BILLED:
            return 200, {"timeSeries": [_series("doubleValue", [10.5, 31.0])]}
        states = {"active": [2, 3], "idle": [1, 0]}
        state = query.get("pageToken", ["active"])[0]
        series = [_series("int64Value", states[state], state)]
        return 200, {"timeSeries": series, **({"nextPageToken": "idle"} if state == "active" else {})}


@contextmanager
def monitoring(service: str) -> Iterator[Monitoring]:
    """Run one; it lets in who has the token "right"."""
    found = Monitoring(service)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found.quotas.append(self.headers.get("x-goog-user-project"))
            status, document = 403, {"error": {"message": "Permission monitoring.timeSeries.list denied"}}
            if self.headers["Authorization"] == "Bearer right":
                assert parts.path == "/v3/projects/my-project/timeSeries"
                status, document = found.answer(parse_qs(parts.query))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def _series(kind: str, values: list[Any], state: str = "") -> dict[str, Any]:
    points = [
        {
            "interval": {"startTime": f"2026-01-02T03:0{minute - 1}:00Z", "endTime": _end(minute)},
            "value": {kind: str(value) if kind == "int64Value" else value},
        }
        for minute, value in enumerate(values, 5)
    ]
    labels = {"labels": {"state": state}} if state else {}
    # The newest comes first, as Google gives them.
    return {"metric": {"type": "", **labels}, "points": points[::-1]}


def _end(minute: int) -> str:
    return f"2026-01-02T03:0{minute}:00Z"
