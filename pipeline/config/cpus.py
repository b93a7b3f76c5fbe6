"""How many CPUs this process may use: what the machine has, what it is bound to, and what a cgroup grants it.

References: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu (cpu.max) and
https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us of version 1).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
MEMBERSHIP: Final = Path("/proc/self/cgroup")
_UNLIMITED: Final = math.inf


def usable_cpus(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """CPUs that can be kept busy here, at least 1: a quota of 2.5 keeps two busy all the time.

    Args:
        cgroups: where the cgroup file systems are mounted.
        membership: the file that names this process's cgroups.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = min((_quota(folder) for folder in _folders(cgroups, membership)), default=_UNLIMITED)
    return max(1, math.floor(min(bound, quota)))


def _folders(cgroups: Path, membership: Path) -> Iterator[Path]:
    """This process's cgroup and those above it, each of which may limit it, in either version.

    In a container the paths are often the host's and the limits lie at the top.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            mounts = [cgroups, cgroups / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [cgroups / controllers, cgroups / "cpu"]
        else:
            continue
        inside = Path(path.lstrip("/"))
        for mount in mounts:
            yield from (mount / part for part in (inside, *inside.parents))


def _quota(folder: Path) -> float:
    """CPUs that a cgroup grants; infinite if it says nothing."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        granted = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return _UNLIMITED  # no such file, or "max"
    return granted if granted > 0 else _UNLIMITED
