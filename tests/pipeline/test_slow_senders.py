"""Senders who are slow, or say nothing: a sound push passes them, on either HTTP target."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.servers.function_worker import FunctionServer, write_constraints
from tests.support.servers.gunicorn_worker import Worker
from worker_function.bundle import stage

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SAID = {"nothing": b"", "half a head": HEAD, "half a body": HEAD + b"Content-Length: 50\r\n\r\n{"}
SENDERS = 40


@contextmanager
def container(folder: Path) -> Iterator[int]:
    worker = Worker(folder)
    try:
        yield worker.wait().port
    finally:
        worker.stop()


@contextmanager
def function(folder: Path) -> Iterator[int]:
    stage(folder / "bundle", write_constraints(folder / "constraints.txt"))
    server = FunctionServer(folder / "bundle", folder, None, store_url=(folder / "store").as_uri())
    try:
        yield server.wait().port
    finally:
        server.stop()


@pytest.mark.parametrize("target", [container, function])
def test_a_push_passes_slow_senders(
    target: Callable[[Path], AbstractContextManager[int]], tmp_path: Path
) -> None:
    with target(tmp_path) as port, ExitStack() as held:
        for said in SAID.values():
            connections = [
                held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                for _ in range(SENDERS)
            ]
            for connection in connections:
                connection.sendall(said)
            # What cannot be decoded is acknowledged at once, by the core: as good as a task.
            answer = requests.post(
                f"http://127.0.0.1:{port}",
                data=b"{}",
                headers={"Content-Type": "application/json"},
                timeout=60,
            )
            assert answer.status_code == 204
