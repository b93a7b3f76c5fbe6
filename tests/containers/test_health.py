"""The health checks of the images, against servers that are well and servers that are not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from redis import Redis

from tests.support import ROOT
from tests.support.servers.valkey import ValkeyServer, free_port


def health(*arguments: str, broker: str = "") -> tuple[int, str]:
    """Run a check as the engine does; its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "health.py"), *arguments],
        env={**os.environ, "DIPTYCH_BROKER_URL": broker}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


class Answers(BaseHTTPRequestHandler):
    """200 at /ready, else 503 with a reason."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()
        self.wfile.write(b"not ready: no model\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[str]:
    """A server's."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield str(server.server_port)
    server.shutdown()
    server.server_close()


def test_a_server_is_well_if_it_answers_200(port: str) -> None:
    assert health("http", port, "/ready") == (0, "")


def test_a_server_that_is_not_ready_says_why(port: str) -> None:
    code, text = health("http", port, "/else")
    assert code == 1
    assert "503: not ready: no model" in text


@pytest.mark.parametrize("check", [("http", "/"), ("tcp",)])
def test_nobody_listens(check: tuple[str, ...]) -> None:
    code, text = health(check[0], str(free_port()), *check[1:])
    assert code == 1
    assert "refused" in text


def test_a_busy_server_takes_connections(port: str) -> None:
    assert health("tcp", port) == (0, "")


def test_a_deliverer_is_well_while_it_is_connected(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    try:
        assert health("broker", broker=server.url)[0] == 1
        with Redis(port=server.port) as client:
            client.ping()
            assert health("broker", broker=server.url) == (0, "")
    finally:
        server.kill()


def test_a_file_that_was_touched_long_ago_is_not_fresh(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert health("fresh", str(path), "15")[0] == 1
    path.touch()
    assert health("fresh", str(path), "15") == (0, "")
    os.utime(path, (0, 0))
    assert health("fresh", str(path), "15")[0] == 1


def test_an_unknown_check_is_no_health() -> None:
    assert health("nonsense")[0] == 2
