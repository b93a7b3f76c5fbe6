"""A server that does next to nothing: what limits a run against it is the generator.

python -m bench.load.generator.trivial_server      prints the port that it listens on, on 127.0.0.1
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from bench.load.generator.server_process import server_process

_ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Requests(asyncio.Protocol):
    """Reads requests with a Content-Length, one after the other, and keeps the connection."""

    transport: asyncio.Transport
    _held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport  # asyncio has set TCP_NODELAY: no part of an answer waits for an ACK

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            length = 0
            if (at := head.find(_LENGTH)) >= 0:
                length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
            if len(self._held) < end + 4 + length:
                return
            self._held = self._held[end + 4 + length :]
            self.answer(head)

    def answer(self, _head: bytes, /) -> None:
        """Answer a whole request with 204."""
        self.transport.write(_ANSWER)


async def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Listen on a free port of 127.0.0.1, print it, and serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def trivial_server() -> AbstractContextManager[str]:
    """Run it in a process of its own; gives its URL. Raises BenchError if it does not start."""
    return server_process("bench.load.generator.trivial_server")


if __name__ == "__main__":
    asyncio.run(serve(Requests))
