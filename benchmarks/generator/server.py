"""An endpoint whose response time is known: the first byte after a fixed delay, the rest after another.

python -m benchmarks.generator.server FIRST_MS REST_MS      prints the port that it listens on, on 127.0.0.1

It sheds nothing, keeps connections, and has a clock of its own beside the tools': `GET` gives, in JSON, how
long the answers since the last `GET` took, from the request's last byte to the handing over of theirs.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.load.generator.server_process import server_process
from bench.load.generator.trivial_server import Requests, serve

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
_FIRST: Final = _HEAD % 1024 + b"-" * 512
_REST: Final = b"-" * 512


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from a request's last byte to the answer's first one, and from there to its last."""

    first_s: float = 0.03
    rest_s: float = 0.02


class _Delayed(Requests):
    def __init__(self, delays: Delays, kept: list[tuple[float, float]]) -> None:
        self._delays, self._kept = delays, kept

    def answer(self, head: bytes, /) -> None:
        if head.startswith(b"get "):
            self._tell()
            return
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        loop.call_at(began_s + self._delays.first_s, self._first, began_s)

    def _first(self, began_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.transport.write(_FIRST)
        # Counted from the request, so that a late first byte does not make the last one later still.
        due_s = began_s + self._delays.first_s + self._delays.rest_s
        loop.call_at(due_s, self._rest, began_s, loop.time() - began_s)

    def _rest(self, began_s: float, first_s: float) -> None:
        self.transport.write(_REST)
        self._kept.append((first_s, asyncio.get_running_loop().time() - began_s))

    def _tell(self) -> None:
        document: dict[str, float] = {"answers": len(self._kept)}
        if self._kept:
            for index, name in enumerate(("first_byte_s", "response_s")):
                document[name] = median(times[index] for times in self._kept)
        self._kept.clear()
        text = json.dumps(document).encode()
        self.transport.write(_HEAD % len(text) + text)


def server_medians(url: str) -> dict[str, float]:
    """Medians, in seconds, of the answers since the last time, by the server's own clock."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("GET", "/")
        values: dict[str, float] = json.loads(connection.getresponse().read())
        return values
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BenchError(f"the delayed server does not say how long its answers took: {error}") from error
    finally:
        connection.close()


def delayed_server(delays: Delays) -> AbstractContextManager[str]:
    """Run it in a process of its own; gives its URL. Raises BenchError if it does not start."""
    arguments = [f"{1000 * value:g}" for value in (delays.first_s, delays.rest_s)]
    return server_process("benchmarks.generator.server", arguments)


if __name__ == "__main__":
    delays = Delays(*(float(value) / 1000 for value in sys.argv[1:3]))
    kept: list[tuple[float, float]] = []
    asyncio.run(serve(lambda: _Delayed(delays, kept)))
