"""A function bundle served by the real functions-framework: nothing of this repository can be imported."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import psutil
import requests

from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S, wait_until


def write_constraints(path: Path) -> Path:
    """Pin every installed distribution, as constraints.txt does."""
    pins = {dist.name.lower(): dist.version for dist in importlib.metadata.distributions() if dist.name}
    path.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    return path


def clean_environment(folder: Path, **settings: object) -> dict[str, str]:
    """The environment of a platform: the dependencies, and no trace of this repository.

    `python -S` leaves out the `.pth` file of the editable install; PYTHONPATH names the dependencies alone.
    """
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{f"DIPTYCH_{key.upper()}": str(value) for key, value in settings.items()},
    }


def run_alone(bundle: Path, code: str) -> str:
    """Run Python in the bundle's folder, isolated, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=bundle,
        env=clean_environment(bundle.parent),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class FunctionServer:
    """functions-framework serving a bundle.

    Args:
        bundle: the staged folder.
        folder: for its home and log.
        threads: 1 makes gunicorn's sync worker of it, which generates in its main thread; None: its own.
        settings: DIPTYCH_* by their short names.
    """

    def __init__(self, bundle: Path, folder: Path, threads: int | None = 8, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_path = folder / f"function-{self.port}.log"
        self._log = self._log_path.open("w")
        arguments = ["--source", "main.py", "--target", "handle", "--host", "127.0.0.1"]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "functions_framework", *arguments, "--port", str(self.port)],
            cwd=bundle,
            env={**clean_environment(folder, **settings), **({"THREADS": str(threads)} if threads else {})},
            stdout=self._log,
            stderr=self._log,
        )

    def wait(self) -> FunctionServer:
        """Return when it answers."""
        wait_until(self._answers, f"functions-framework to answer; see {self._log_path}")
        return self

    @property
    def pid(self) -> int:
        """Process id of gunicorn's master."""
        return self._process.pid

    def text(self) -> str:
        """What it has logged."""
        return self._log_path.read_text()

    def terminate(self) -> None:
        """SIGTERM, as the platform sends it."""
        self._process.terminate()

    def ended(self) -> bool:
        """True once it has."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Kill it and its worker."""
        if self._process.poll() is None:
            for child in psutil.Process(self._process.pid).children():
                child.kill()
            self._process.kill()
        self._process.wait(LIMIT_S)
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.text()
        try:
            requests.get(self.url, timeout=5)
        except requests.RequestException:
            return False
        return True
