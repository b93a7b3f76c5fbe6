"""A stand-in for Cloud Run: checks who calls, starts real workers as requests come, and ends idle ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from benchmarks.delivery.oidc_issuer import EMAIL, LocalIssuer
from pipeline.auth.push_auth import push_auth_of
from pipeline.config.settings import Settings
from tests.support import ROOT
from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S, wait_until


class Instance:
    """One worker: gunicorn with the container in it, or functions-framework with the function.

    Args:
        target: which.
        folder: of its log.
        settings: DIPTYCH_* by their short names.
    """

    def __init__(self, target: str, folder: Path, settings: Mapping[str, object]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.busy, self.idle_since = True, 0.0
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DIPTYCH_")}
        environment |= {
            "DIPTYCH_PUSH_AUTH": "off",
            "WORKERS": "1",
            "PYTHONPATH": str(ROOT),
            **{f"DIPTYCH_{key.upper()}": str(value) for key, value in settings.items()},
        }
        here = f"127.0.0.1:{port}"
        container = ("gunicorn", "-c", "python:worker_container.gunicorn_conf", "--bind", here)
        source = ("--source", str(ROOT / "worker_function/main.py"), "--target", "handle")
        served = {
            "container": (*container, "worker_container.app:create_app()"),
            "function": ("functions_framework", *source, "--host", "127.0.0.1", "--port", str(port)),
        }
        self._log = (folder / f"{target}-{port}.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *served[target]], env=environment, stdout=self._log, stderr=self._log
        )
        wait_until(self._answers, f"the {target} to answer; see {self._log.name}", 110.0)

    def stop(self) -> None:
        """Kill it and its worker."""
        for child in psutil.Process(self._process.pid).children():
            child.kill()
        self._process.kill()
        self._process.wait(LIMIT_S)
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            requests.get(f"{self.url}health/live", timeout=5)
        except requests.RequestException:
            return False
        return True


@dataclass
class CloudRun:
    """One service: as many instances as there are requests at once, one each.

    Args:
        target: what its instances are.
        folder: of logs.
        settings: of its instances.
        idle_s: an instance that long without a request ends.
    """

    target: str
    folder: Path
    settings: Mapping[str, object]
    idle_s: float
    url: str = ""
    started: int = 0
    refused: int = 0
    instances: list[Instance] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forward(self, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        """Let an idle instance answer, or a new one."""
        with self.lock:
            instance = next((one for one in self.instances if not one.busy), None)
            if instance:
                instance.busy = True
        if not instance:
            instance = Instance(self.target, self.folder, self.settings)
            with self.lock:
                self.started += 1
                self.instances.append(instance)
        try:
            return requests.post(instance.url, data=body, headers=dict(headers), timeout=LIMIT_S)
        finally:
            with self.lock:
                instance.busy, instance.idle_since = False, time.monotonic()

    def end_idle(self, limit_s: float) -> None:
        """End what has been idle for longer."""
        now = time.monotonic()
        with self.lock:
            ended = [one for one in self.instances if not one.busy and now - one.idle_since > limit_s]
            self.instances = [one for one in self.instances if one not in ended]
        for one in ended:
            one.stop()


@contextmanager
def cloud_run(
    target: str, folder: Path, issuer: LocalIssuer, *, idle_s: float = 3600.0, **settings: object
) -> Iterator[CloudRun]:
    """Run a service at an address of its own; only the push account's tokens for that address get in."""
    service = CloudRun(target, folder, settings, idle_s)
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 403
            if auth.refusal(self.headers) is None:
                status = service.forward(body, {"Content-Type": self.headers["Content-Type"]}).status_code
            else:
                service.refused += 1
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    found = push_auth_of(
        Settings(push_auth="verify", push_audience=service.url, push_email=EMAIL, push_certs_url=issuer.url)
    )
    assert found is not None
    auth = found

    def reap() -> None:
        while not stopping.wait(0.05):
            service.end_idle(service.idle_s)

    for work in (lambda: server.serve_forever(poll_interval=0.02), reap):
        threading.Thread(target=work, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        stopping.set()
        for one in service.instances:
            one.busy = False
        service.end_idle(-1.0)


def gcloud(folder: Path, monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer, *audiences: str) -> None:
    """Put a gcloud first in PATH that prints a token for whom it is asked, if it may act for the account."""
    script = folder / "bin" / "gcloud"
    script.parent.mkdir()
    cases = "".join(
        f"*-account={EMAIL}*--audiences={audience}*) echo {issuer.token(aud=audience)};;\n"
        for audience in audiences
    )
    refuse = 'echo "ERROR: (gcloud.auth) not permitted" >&2; exit 1'
    script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}*) {refuse};;\nesac\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
