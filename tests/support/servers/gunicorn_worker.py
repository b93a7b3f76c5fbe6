"""A real gunicorn with the container worker in it, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import requests

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.protocol.task_message import TaskMessage
from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S, wait_until


class Worker:
    """One gunicorn with the container worker in it.

    Args:
        folder: holds `store` and `models`.
        settings: DIPTYCH_* by their short names.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.port = port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DIPTYCH_")}
        environment |= {
            "DIPTYCH_STORE_URL": (folder / "store").as_uri(),
            "DIPTYCH_MODEL_DIR": str(folder / "models"),
            "DIPTYCH_DEFAULT_MODEL": "tiny",
            "DIPTYCH_PUSH_AUTH": "off",
            **{f"DIPTYCH_{key.upper()}": str(value) for key, value in settings.items()},
        }
        arguments = ["-c", "python:worker_container.gunicorn_conf", "--bind", f"127.0.0.1:{port}"]
        self.log = (folder / f"gunicorn-{port}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, "worker_container.app:create_app()"],
            env=environment,
            stdout=self.log,
            stderr=self.log,
        )

    def wait(self) -> Worker:
        """Return when it answers."""
        wait_until(self._answers, f"gunicorn to answer; see {self.log.name}")
        return self

    def push(self, task: TaskMessage, attempt: int = 1) -> requests.Response:
        """Post a task as Pub/Sub would."""
        body = push_body(queued_message(task, f"m{task.task_index}", utc_now()), "s", attempt)
        return requests.post(self.url, data=body, timeout=LIMIT_S)

    def text(self) -> str:
        """What it has logged."""
        return Path(self.log.name).read_text()

    def stop(self) -> None:
        """Kill it, if it still runs."""
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children():
                child.kill()
            self.process.kill()
        self.process.wait(LIMIT_S)
        self.log.close()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.text()
        try:
            return requests.get(f"{self.url}/health/live", timeout=5).ok
        except requests.RequestException:
            return False
