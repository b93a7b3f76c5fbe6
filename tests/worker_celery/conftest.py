"""A real broker, a real target on HTTP, and real Celery workers in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.celery_settings import worker_argv
from pipeline.config.settings import Settings
from pipeline.protocol.task_message import TaskMessage
from producer.celery.publisher import CeleryPublisher
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.servers.valkey import ValkeyServer
from tests.support.waiting import LIMIT_S

Reply = tuple[int, dict[str, str]]


def task(index: int, *targets: Target, publication: int = 0) -> TaskMessage:
    """A task of 4 images."""
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    return TaskMessage(
        job_id="a-job", publication=publication, publication_started_at=now, task_index=index,
        first_index=4 * index, image_count=4, model="faces-64", model_digest=f"sha256:{'0' * 64}", seed=7,
        targets=targets or ("container",), submitted_at=now,
    )  # fmt: skip


def slowly(delay_s: float) -> Callable[[dict[str, Any]], Reply]:
    """A reply of 204 after a while."""

    def reply(_: dict[str, Any]) -> Reply:
        time.sleep(delay_s)
        return 204, {}

    return reply


@dataclass
class HttpTarget:
    """A target that answers as it is told, and remembers what was posted to it."""

    reply: Callable[[dict[str, Any]], Reply] = lambda _: (204, {})
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def hold(self) -> threading.Event:
        """Answer 204 from now on, but not before the event is set."""
        released = threading.Event()

        def reply(_: dict[str, Any]) -> Reply:
            released.wait(LIMIT_S)
            return 204, {}

        self.reply = reply
        return released

    def message_ids(self) -> list[str]:
        return [body["message"]["messageId"] for body in self.bodies]


@pytest.fixture
def target() -> Iterator[HttpTarget]:
    """A running HttpTarget."""
    found = HttpTarget()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.bodies.append(body)
            status, headers = found.reply(body)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A running broker of this test's own."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """The store that the workers use too."""
    return DirectoryStore.from_url((tmp_path / "store").as_uri())


@pytest.fixture
def publisher(valkey: ValkeyServer) -> Iterator[CeleryPublisher]:
    """The producer's side of the queue."""
    publisher = CeleryPublisher(Settings(broker_url=valkey.url))
    yield publisher
    publisher.close()


class Workers:
    """Starts Celery workers with the settings of a test, and ends them all.

    Args:
        environment: DIPTYCH_* settings of every worker.
        log: where they write.
    """

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, target: Target, concurrency: int = 1, **settings: object) -> subprocess.Popen[bytes]:
        """Start a worker; it is not waited for."""
        extra = {f"DIPTYCH_{name.upper()}": str(value) for name, value in settings.items()}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *worker_argv(target, concurrency)],
                env={**os.environ, **self._environment, **extra},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def log_text(self) -> str:
        """What they have written."""
        return self._log.read_text()

    def end(self) -> None:
        """Kill what still runs, children included."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()


@pytest.fixture
def workers(
    valkey: ValkeyServer, store: DirectoryStore, target: HttpTarget, tmp_path: Path
) -> Iterator[Workers]:
    """Workers on this test's broker, store and target, with short times."""
    environment = {
        "DIPTYCH_BROKER_URL": valkey.url,
        "DIPTYCH_STORE_URL": store.url,
        "DIPTYCH_CONTAINER_URL": target.url,
        "DIPTYCH_FUNCTION_URL": target.url,
        "DIPTYCH_LOG_FORMAT": "text",
        "DIPTYCH_BACKOFF_MIN_S": "0.02",
        "DIPTYCH_BACKOFF_MAX_S": "0.1",
        "DIPTYCH_PUSH_ATTEMPTS": "3",
        "DIPTYCH_VISIBILITY_TIMEOUT_S": "600",
    }
    workers = Workers(environment, tmp_path / "workers.log")
    yield workers
    workers.end()
