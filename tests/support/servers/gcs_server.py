"""A real fake-gcs-server for tests: its binary, run without the wrapper that never drains its logs."""

from __future__ import annotations

import subprocess
import time
from uuid import uuid4

import requests

from local.errors import StackError
from local.pubsub.gcs_server import gcs_binary
from tests.support import missing
from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S


class GcsServer:
    """One server process that keeps its objects in memory.

    Args:
        binary: path of the fake-gcs-server executable.
    """

    def __init__(self, binary: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = {
            "backend": "memory",
            "scheme": "http",
            "host": "127.0.0.1",
            "port": str(port),
            "external-url": self.url,
            "public-host": f"127.0.0.1:{port}",
            "log-level": "warn",
        }
        self._process = subprocess.Popen(
            [binary, *(part for key, value in arguments.items() for part in (f"-{key}", value))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + LIMIT_S
        while not self._answers():
            assert self._process.poll() is None, "fake-gcs-server ended at its start"
            assert time.monotonic() < deadline, "fake-gcs-server did not answer"
            time.sleep(0.02)

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"bucket-{uuid4().hex[:12]}"
        requests.post(f"{self.url}/storage/v1/b", json={"name": name}, timeout=LIMIT_S).raise_for_status()
        return name

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(LIMIT_S)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/storage/v1/b", timeout=1).ok
        except requests.RequestException:
            return False


def find_binary() -> str:
    """Path of the executable. Where there is none, skips on a laptop and fails in CI."""
    try:
        return gcs_binary()
    except StackError as error:
        missing.skip(f"fake-gcs-server: {error}")
