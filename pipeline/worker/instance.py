"""The process that serves: what a record says of where it was made."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil

from pipeline.config.settings import Settings
from pipeline.version import version

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Instance:
    """One serving process.

    Args:
        instance_id: unique to this process, readable: host, process id, random part.
        started_at: when the process started (not when it first served), aware UTC.
        cpu_model: the CPU's name as the operating system gives it.
        revision: what is deployed: the setting, Cloud Run's own name for it, or the version.
    """

    instance_id: str
    started_at: datetime
    cpu_model: str
    revision: str


def this_instance(settings: Settings) -> Instance:
    """Describe the calling process. Call it in the process that serves, after any fork."""
    host = socket.gethostname().partition(".")[0][:24]
    return Instance(
        instance_id=f"{host}-{os.getpid()}-{uuid4().hex[:8]}",
        started_at=datetime.fromtimestamp(psutil.Process().create_time(), UTC),
        cpu_model=cpu_model(),
        revision=settings.revision or os.environ.get("K_REVISION", "") or version(),
    )


def cpu_model(info: Path = CPU_INFO) -> str:
    """The CPU's name: "model name" on Linux, else what Python knows."""
    try:
        lines = info.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
