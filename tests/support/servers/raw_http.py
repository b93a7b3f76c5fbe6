"""Requests that no HTTP library would send, over a plain socket."""

from __future__ import annotations

import socket

CHUNKED = "Transfer-Encoding: chunked"


def send_half(port: int) -> int:
    """Post half a body and then nothing, the connection open; return the answer's status."""
    return send(port, b"{", "Content-Length: 50", "Content-Type: application/json", end=False)


def send(port: int, body: bytes, *headers: str, end: bool = True) -> int:
    """Post bytes to a server on this machine as they are; return the answer's status, 0 if there is none.

    Args:
        port: of the server.
        body: what follows the head.
        headers: lines of the head, beside Host.
        end: say that nothing more will follow.
    """
    head = "".join(f"{line}\r\n" for line in ("POST / HTTP/1.1", "Host: x", "Connection: close", *headers))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        if end:
            connection.shutdown(socket.SHUT_WR)
        line = connection.makefile("rb").readline()
    return int(line.split()[1]) if line else 0


BAD_CHUNKS = {
    "no size": b"zz\r\nabc",
    "negative": b"-1\r\nabc\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "bare line feeds": b"5\nabcde\n0\n\n",
    "no end of a chunk": b"5\r\nabcdefg\r\n0\r\n\r\n",
    "bad extension": b"5;\r=\r\nabcde\r\n0\r\n\r\n",
    "bad trailer": b"5\r\nabcde\r\n0\r\nno colon\r\n\r\n",
    "cut off": b"ff\r\nabc",
    "nothing": b"",
}
"""Chunked bodies that are none."""
