"""A target that answers as a test tells it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class HttpTarget:
    """What it does with a request: return a status and headers, or None to close without an answer."""

    answer: Callable[[int], tuple[int, dict[str, str]] | None] = lambda _: (204, {})
    bodies: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def http_target(answer: Callable[[int], tuple[int, dict[str, str]] | None]) -> Iterator[HttpTarget]:
    """Run one; it is told the number of each request, from 0."""
    target = HttpTarget(answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                number = len(target.bodies)
                target.bodies.append(body)
                target.tokens.append(self.headers.get("Authorization", ""))
            said = target.answer(number)
            if said is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers = said
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    target.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
