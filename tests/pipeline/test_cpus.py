"""How many CPUs may be used: quotas of either cgroup version, wherever they lie, and the affinity."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local.options import default_slots
from pipeline.config.cpus import usable_cpus

V1 = Path("/sys/fs/cgroup/cpu")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 32 CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)), raising=False)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def seen(tmp_path: Path, membership: str) -> int:
    (tmp_path / "membership").write_text(membership + "\n")
    return usable_cpus(tmp_path / "cgroup", tmp_path / "membership")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("limit", "cpus"),
    [
        ("max 100000", 32),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("6400000 100000", 32),
        ("nonsense", 32),
        ("1 0", 32),
    ],
)
def test_version_2(tmp_path: Path, limit: str, cpus: int) -> None:
    write(tmp_path / "cgroup", cpu__max=limit)
    assert seen(tmp_path, "0::/") == cpus


@pytest.mark.usefixtures("many")
def test_the_tightest_of_all_that_are_above_holds(tmp_path: Path) -> None:
    write(tmp_path / "cgroup" / "a" / "b", cpu__max="800000 100000")
    write(tmp_path / "cgroup" / "a", cpu__max="300000 100000")
    assert seen(tmp_path, "0::/a/b") == 3
    assert seen(tmp_path, "0::/host/path/of/a/container") == 32


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("quota", "cpus"), [("-1", 32), ("400000", 4)])
@pytest.mark.parametrize("folder", ["cpu,cpuacct/docker/x", "cpu/docker/x", "cpu"])
def test_version_1(tmp_path: Path, folder: str, quota: str, cpus: int) -> None:
    write(tmp_path / "cgroup" / folder, **{"cpu__cfs_quota_us": quota, "cpu__cfs_period_us": "100000"})
    assert seen(tmp_path, "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/") == cpus


@pytest.mark.usefixtures("many")
def test_slots_follow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_slots() == max(1, usable_cpus() // 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert (usable_cpus(), default_slots()) == (1, 1)


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.fixture
def real_cgroup() -> Iterator[Path]:
    """A cgroup of the system's own with a quota of one CPU, where we may make one."""
    version_2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    folder = (V1.parent if version_2 else V1) / f"diptych-test-{uuid4().hex[:8]}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no right to make a cgroup here")
    try:
        if version_2:
            (folder / "cpu.max").write_text("150000 100000")
        else:
            (folder / "cpu.cfs_quota_us").write_text("150000")
        yield folder
    except OSError:
        pytest.skip("no right to set a quota here")
    finally:
        folder.rmdir()


def test_a_real_quota(real_cgroup: Path) -> None:
    code = (
        "import os, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()));"
        "from pipeline.config.cpus import usable_cpus; print(usable_cpus())"
    )
    command = [sys.executable, "-c", code, str(real_cgroup)]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "1\n"
