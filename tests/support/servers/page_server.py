"""A real page: `diptych web` in a process of its own, and what a client says to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import requests

from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S

_OURS: Final = ("DIPTYCH_", "STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST")


class PageServer:
    """One page.

    Args:
        store_url: what it shows.
        folder: its working folder; its log goes there.
        broker_url: where jobs go; "" to browse only.
    """

    def __init__(self, store_url: str, folder: Path, broker_url: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "page.log").open("w+")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        more = ["--broker", broker_url] if broker_url else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "diptych", "web", "--port", str(self.port), "--store", store_url, *more],
            cwd=folder,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + LIMIT_S
        while not self._answers():
            assert self.process.poll() is None, f"the page ended at its start: {self.log()}"
            assert time.monotonic() < deadline, f"the page did not answer: {self.log()}"
            time.sleep(0.05)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Ask for a path."""
        return requests.get(self.url + path, timeout=LIMIT_S, **options)

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        """Post as the page's own scripts do; `headers` are put in place of theirs, "_" for "-"."""
        token = self.get("/api/form-options").json()["token"]
        own = {"Origin": self.url, "X-Diptych-Token": token}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(self.url + path, json=body, headers={**own, **given}, timeout=LIMIT_S)

    def log(self) -> str:
        """What it has said."""
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> None:
        """End it as a supervisor would."""
        self.process.terminate()
        try:
            self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
            self._log.close()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/live", timeout=1).ok
        except requests.RequestException:
            return False
