"""A TCP proxy in front of a server, that can break the line in the middle and mend it again."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

PART_BYTES: Final = 4096


class TcpProxy:
    """Forwards connections to a port, byte by byte.

    Args:
        port: where the server listens, on this machine.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._limit: int | None = None
        self._sent = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def break_after(self, sent_bytes: int) -> None:
        """Cut every line once so much more has been sent to the server, and let no other be opened."""
        with self._lock:
            self._limit = self._sent + sent_bytes

    def mend(self) -> None:
        """Forward again."""
        with self._lock:
            self._limit = None

    def close(self) -> None:
        """Cut every line for good."""
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_broken():
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server))
            with self._lock:
                self._open += [client, server]
            for source, sink, counts in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, counts), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PART_BYTES):
                if counts:
                    with self._lock:
                        self._sent += len(data)
                    if self._is_broken():
                        return self._cut()
                sink.sendall(data)
        for end in (source, sink):
            end.close()
        return None

    def _is_broken(self) -> bool:
        with self._lock:
            return self._limit is not None and self._sent >= self._limit

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
