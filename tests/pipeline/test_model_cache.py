"""The cache of fetched checkpoints: bounded, whole files only, many processes, no place to write."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pipeline.config.settings import Settings
from pipeline.errors import CacheError
from pipeline.models.checkpoint_folder import STALE_PART_S, CheckpointFolder
from pipeline.models.disk_cache import ModelCache
from pipeline.worker.process import process_task
from pipeline.worker.runtime import Runtime
from results.naming import model_name
from results.stores.directory import DirectoryStore
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.fakes import a_delivery
from tests.support.builders.tasks import a_task
from tests.support.waiting import LIMIT_S

SIZE = 100


def content(number: int) -> bytes:
    return bytes([number]) * SIZE


def digest_of(number: int) -> str:
    return f"sha256:{hashlib.sha256(content(number)).hexdigest()}"


def obtain(folder: CheckpointFolder | ModelCache, number: int) -> Path:
    return folder.obtain(digest_of(number), lambda: content(number))


def never() -> bytes:
    raise AssertionError("downloaded, though it is there")


def kept(path: Path) -> set[int]:
    """Which checkpoints are there, told by name: to read one would be to use it."""
    names = {f"{digest_of(number).replace(':', '-')}.safetensors": number for number in range(10)}
    return {names[file.name] for file in path.glob("sha256-*")}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_kept_is_not_downloaded_again(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "a" / "b", 1000)
    assert folder.find(digest_of(1)) is None
    path = obtain(folder, 1)
    assert path.read_bytes() == content(1)
    assert folder.find(digest_of(1)) == path
    assert folder.obtain(digest_of(1), never) == path


def test_the_least_recently_used_makes_room(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, 3 * SIZE)
    for number in (1, 2, 3):
        os.utime(obtain(folder, number), ns=(number, number))
    assert folder.find(digest_of(1))
    obtain(folder, 4)
    assert kept(tmp_path) == {1, 3, 4}
    obtain(folder, 5)
    assert kept(tmp_path) == {1, 4, 5}


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(bytes(1000))
    folder = CheckpointFolder(tmp_path, SIZE)
    obtain(folder, 1)
    obtain(folder, 2)
    assert mine.exists()
    assert kept(tmp_path) == {2}


def test_a_damaged_file_is_downloaded_again(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, 1000)
    path = obtain(folder, 1)
    path.write_bytes(content(1)[:-1])
    assert folder.find(digest_of(1)) is None
    assert not path.exists()
    path.write_bytes(content(2))
    assert obtain(folder, 1).read_bytes() == content(1)


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def break_off() -> bytes:
        raise KeyboardInterrupt

    folder = CheckpointFolder(tmp_path, 1000)
    with pytest.raises(KeyboardInterrupt):
        folder.obtain(digest_of(1), break_off)
    assert folder.find(digest_of(1)) is None
    assert obtain(folder, 1).exists()


def test_parts_of_dead_processes_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / ".old.part", tmp_path / ".young.part"
    for part in (old, young):
        part.write_bytes(b"half")
    long_ago_s = time.time() - STALE_PART_S - 60
    os.utime(old, (long_ago_s, long_ago_s))
    obtain(CheckpointFolder(tmp_path, 1000), 1)
    assert (old.exists(), young.exists()) == (False, True)


FETCHER = """
import sys, time
from pathlib import Path
from pipeline.models.checkpoint_folder import CheckpointFolder
folder, digest, me = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
other = {"a": "b", "b": "a"}[me]

def wait_for(name):
    end = time.monotonic() + 120
    while not (folder / name).exists():
        assert time.monotonic() < end, name
        time.sleep(0.01)

def download():
    (folder / f"{me}-downloads").touch()
    if me == "a":
        wait_for("b-comes")
    return bytes([1]) * 100

if me == "b":
    wait_for("a-downloads")
    (folder / "b-comes").touch()
print(CheckpointFolder(folder, 1000).obtain(digest, download).stat().st_size)
"""


def test_of_two_processes_one_downloads(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCHER, str(tmp_path), digest_of(1), me],
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in ("a", "b")
    ]
    assert [process.communicate(timeout=LIMIT_S)[0] for process in processes] == ["100\n", "100\n"]
    assert (tmp_path / "a-downloads").exists()
    assert not (tmp_path / "b-downloads").exists()


def test_a_folder_that_cannot_be_written_gives_way_to_a_temporary_one(
    tmp_path: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = ModelCache(Settings(cache_dir=tmp_path / "file" / "models"))
    path = obtain(cache, 1)
    assert path.is_relative_to(temporary)
    assert "cannot be kept" in caplog.text
    assert cache.obtain(digest_of(1), never) == path


def test_a_folder_filled_by_the_operator_serves_as_it_is(tmp_path: Path) -> None:
    obtain(CheckpointFolder(tmp_path, 1000), 1)
    for file in tmp_path.glob(".*"):
        file.unlink()
    assert ModelCache(Settings(cache_dir=tmp_path)).obtain(digest_of(1), never).read_bytes() == content(1)
    assert [file.suffix for file in tmp_path.iterdir()] == [".safetensors"]


def test_somebody_elses_temporary_folder_is_not_trusted(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (temporary / f"diptych-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheError, match=r"belongs to somebody else.*DIPTYCH_CACHE_DIR"):
        ModelCache(Settings(cache_dir=tmp_path / "file" / "models")).obtain(digest_of(1), never)


def test_the_default_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DIPTYCH_CACHE_DIR", raising=False)
    assert obtain(ModelCache(Settings()), 1).parent == tmp_path / "diptych" / "models"


@pytest.mark.usefixtures("temporary")
def test_a_full_disk_gives_the_task_back_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = save_tiny(tmp_path / "models")
    store = DirectoryStore(tmp_path / "store")
    checkpoint = (tmp_path / "models" / "tiny.safetensors").read_bytes()
    store.create(model_name(digest), checkpoint, "application/octet-stream")
    runtime = Runtime(
        Settings(store_url=store.url, model_dir=None, cache_dir=tmp_path / "cache"), "container", store=store
    )

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr("pipeline.models.checkpoint_folder.os.fsync", no_space)
        result = process_task(a_task(model_digest=digest), a_delivery(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == ("retry", "model_cache_unusable", True)
    assert "No space left" in result.detail
    assert "DIPTYCH_CACHE_DIR" in result.detail
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [".lock"]
    assert list(store.list("jobs/")) == []
    assert process_task(a_task(model_digest=digest), a_delivery(), runtime).outcome == "done"
