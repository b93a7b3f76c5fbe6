"""A proxy in front of fake-gcs-server that plays what goes wrong with the real service, on order."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tests.support.servers.gcs_server import GcsServer
from tests.support.waiting import LIMIT_S

Kind = Literal["status", "lose_answer", "cut_answer", "damage_answer", "cut_upload", "hang_up"]
ALWAYS = 10**9
HOP_HEADERS = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@dataclass
class Fault:
    """What goes wrong with requests that match.

    Args:
        kind: `status`: answered at once, nothing gets through. `hang_up`: nothing gets through, no answer.
            `lose_answer`: done, no answer. `cut_answer`: done, half of the answer. `damage_answer`: done, one
            bit of the answer is flipped. `cut_upload`: half of the request gets through.
        method: "" for any.
        part: what the address, or the beginning of the body, must contain: an object's name.
        times: for so many requests.
        status: for `status`.
        text: the answer's body, for `status`.
        delay_s: wait before anything else.
    """

    kind: Kind | Literal["none"]
    method: str = ""
    part: str = ""
    times: int = 1
    status: int = 503
    text: str = "Backend Error"
    delay_s: float = 0.0

    def fits(self, method: str, place: str) -> bool:
        """True if this request is meant."""
        return self.times > 0 and method.startswith(self.method) and self.part in place


@dataclass(frozen=True)
class Seen:
    """A request as it came: `place` is its address, unquoted, and the beginning of its body."""

    method: str
    place: str
    body: bytes


class GcsFaultProxy(ThreadingHTTPServer):
    """Forwards requests to a fake-gcs-server, but for those that a fault is ordered for.

    Args:
        server: what it stands in front of.
    """

    daemon_threads = True

    def __init__(self, server: GcsServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = urlsplit(server.url).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[Seen] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def order(self, kind: Kind | Literal["none"], **details: Any) -> None:
        """Let something go wrong; see Fault."""
        with self._lock:
            self._faults.append(Fault(kind, **details))

    def mend(self) -> None:
        """Let everything through again."""
        with self._lock:
            self._faults.clear()

    def uploads(self, part: str = "") -> list[Seen]:
        """The uploads of objects whose name contains `part` that were tried so far."""
        return [each for each in self.seen if each.method == "POST" and part in each.place]

    def take(self, seen: Seen) -> Fault | None:
        """Note a request, and say what goes wrong with it."""
        with self._lock:
            self.seen.append(seen)
            for fault in self._faults:
                if fault.fits(seen.method, seen.place):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that did not wait for its answer is no news."""


@contextmanager
def gcs_fault_proxy(server: GcsServer) -> Iterator[GcsFaultProxy]:
    """Run a proxy in front of a server."""
    with GcsFaultProxy(server) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GcsFaultProxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        place = unquote(self.path) + body[:1000].decode("utf-8", "replace")
        fault = self.server.take(Seen(self.command, place, body)) or Fault("none")
        if fault.delay_s:
            time.sleep(fault.delay_s)
        if fault.kind == "status":
            return self._answer(fault.status, {"Content-Type": "text/plain"}, fault.text.encode())
        if fault.kind == "hang_up":
            return self._hang_up()
        status, headers, content = self._forward(body, cut=fault.kind == "cut_upload")
        if fault.kind == "lose_answer":
            return self._hang_up()
        if fault.kind == "damage_answer":
            content = content[:-1] + bytes([content[-1] ^ 1])
        return self._answer(status, headers, content, cut=fault.kind == "cut_answer")

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _forward(self, body: bytes, *, cut: bool) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.address, timeout=LIMIT_S)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP_HEADERS}
        sent = body[: len(body) // 2] if cut else body
        try:
            connection.request(self.command, self.path, body=sent or None, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = {key: value for key, value in answer.getheaders() if key.lower() not in HOP_HEADERS}
        return answer.status, kept, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
