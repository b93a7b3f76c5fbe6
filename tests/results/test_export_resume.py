"""Exports that are interrupted: by a kill, a full disk, a rival, a job that grows."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.export.partial import PartialFile
from results.export.run import FORMS, Form, export_to_path, is_sharded
from results.export.samples import ExportError, Source
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from tests.results.test_export import a_source, export, files
from tests.support.builders.pictures import JOB, manifest, write_job, write_task
from tests.support.waiting import LIMIT_S, wait_until

SLOW_READ_S = 0.02
ONE_FILE: tuple[Form, ...] = ("zip", "tar", "csv", "jsonl")


@pytest.fixture(scope="module")
def written_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written once: a store that syncs every file takes its time."""
    folder = tmp_path_factory.mktemp("written")
    write_job(DirectoryStore(folder), manifest(targets=("container",), count=120))
    return folder


@pytest.fixture
def big_job(directory_store: DirectoryStore, written_job: Path) -> Manifest:
    """120 images in 30 tasks, for one target."""
    shutil.copytree(written_job, directory_store.root)
    return manifest(targets=("container",), count=120)


@pytest.fixture(autouse=True)
def journal_at_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.export.single.JOURNAL_EVERY_S", 0.0)


class CountingStore(DirectoryStore):
    """Counts the images that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.images_read = 0
        self.records_read = 0

    def read(self, name: str) -> bytes:
        self.images_read += "/images/" in name
        self.records_read += "/records/" in name
        return super().read(name)


def interrupt(store: Store, job: Manifest, form: Form, path: Path, images: int) -> None:
    """Take so many steps, then leave as a Ctrl-C does."""
    source, _ = a_source(store, job, form)
    with export_to_path(source, form, path, 20) as running:
        done = 0
        for step in running.steps:
            done += step
            if done >= images:
                break
        running.steps.close()


def resume(store: Store, job: Manifest, form: Form, path: Path) -> tuple[int, int]:
    source, _ = a_source(store, job, form)
    with export_to_path(source, form, path, 20) as running:
        assert sum(running.steps) == running.counts.images
    return running.counts.images, running.counts.kept


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_export_goes_on_and_is_the_same(
    directory_store: DirectoryStore, big_job: Manifest, tmp_path: Path, form: Form
) -> None:
    whole, cut = tmp_path / "whole" / "out", tmp_path / "cut" / "out"
    resume(directory_store, big_job, form, whole)
    interrupt(directory_store, big_job, form, cut, 70)
    assert is_sharded(form) or not cut.exists()
    store = CountingStore(directory_store.root)
    images, kept = resume(store, big_job, form, cut)
    assert images == 120
    assert kept >= 60
    # What was there is not read again.
    assert store.images_read <= 60 if form not in ("csv", "jsonl") else store.records_read <= 16
    assert files(whole.parent) == files(cut.parent)


KILLED = """
import sys, time
from pathlib import Path
from results.documents import Manifest
from results.export.run import export_to_path
from results.export.samples import Source
from results.export import single
from results.job_state import load_manifest
from results.stores.directory import DirectoryStore
single.JOURNAL_EVERY_S = 0.0
class Slow(DirectoryStore):
    def read(self, name):
        time.sleep(0.02)
        return super().read(name)
store = Slow(Path(sys.argv[1]))
job = load_manifest(store, sys.argv[2])
source = Source(store, job, job.targets, True, False, print)
with export_to_path(source, sys.argv[3], Path(sys.argv[4]), 20) as running:
    done = 0
    for step in running.steps:
        done += step
        time.sleep(0.005)
        print(done, flush=True)
"""


@pytest.mark.parametrize("form", ["zip", "tar", "webdataset", "parquet"])
def test_a_killed_export_goes_on(
    directory_store: DirectoryStore, big_job: Manifest, tmp_path: Path, form: Form
) -> None:
    whole, cut = tmp_path / "whole" / "out", tmp_path / "cut" / "out"
    resume(directory_store, big_job, form, whole)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(directory_store.root), JOB, form, str(cut)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while int(process.stdout.readline()) < 60:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT_S)
    process.stdout.close()
    assert is_sharded(form) or not cut.exists()
    images, kept = resume(directory_store, big_job, form, cut)
    assert (images, kept >= 40) == (120, True)
    assert files(whole.parent) == files(cut.parent)


@pytest.mark.parametrize("form", ONE_FILE)
def test_a_job_that_has_grown_is_exported_anew(
    directory_store: DirectoryStore, tmp_path: Path, form: Form
) -> None:
    job = manifest(targets=("container",), count=40)
    directory_store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    for task in (0, 2, 3, 5):
        write_task(directory_store, job, "container", task)
    interrupt(directory_store, job, form, tmp_path / "out", 12)
    write_task(directory_store, job, "container", 1)
    images, kept = resume(directory_store, job, form, tmp_path / "out")
    assert (images, kept) == (20, 0)
    resume(directory_store, job, form, tmp_path / "fresh")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "fresh").read_bytes()


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_shards_that_were_not_whole_are_written_again(
    directory_store: DirectoryStore, tmp_path: Path, form: Form
) -> None:
    job = manifest(targets=("container",), count=60)
    directory_store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    for task in (*range(6), 11):
        write_task(directory_store, job, "container", task)
    assert resume(directory_store, job, form, tmp_path / "out") == (28, 0)
    for task in range(6, 11):
        write_task(directory_store, job, "container", task)
    # Of the three runs of 20 images the first was whole; the last has 4 more to come.
    assert resume(directory_store, job, form, tmp_path / "out") == (48, 20)
    shard = next((tmp_path / "out").glob(f"{JOB}-container-000000.*"))
    shard.write_bytes(shard.read_bytes()[:-7])
    assert resume(directory_store, job, form, tmp_path / "out") == (48, 20)
    with pytest.raises(ExportError, match="shard_size was 20"):
        export(directory_store, job, form, tmp_path / "out")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "out.zip.partial.json").write_text("{"),
        lambda folder: (folder / "out.zip.partial").write_bytes(b"x"),
        lambda folder: (folder / "out.zip.partial-directory").write_bytes(b""),
        lambda folder: (folder / "out.zip.partial.json").write_text(
            (folder / "out.zip.partial.json")
            .read_text()
            .replace('"after_task": ', '"after_task": "x", "y": ')
        ),
    ],
)
def test_damaged_traces_start_it_over(
    directory_store: DirectoryStore, big_job: Manifest, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    resume(directory_store, big_job, "zip", tmp_path / "fresh.zip")
    interrupt(directory_store, big_job, "zip", tmp_path / "out.zip", 70)
    damage(tmp_path)
    assert resume(directory_store, big_job, "zip", tmp_path / "out.zip") == (120, 0)
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "fresh.zip").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_no_half_file_and_goes_on(
    directory_store: DirectoryStore, big_job: Manifest, tmp_path: Path, form: Form
) -> None:
    """A limit on the size of files stands for the disk: writing fails in the middle, as there."""
    out = tmp_path / "o" / "out"
    command = [sys.executable, "-c", "from diptych.cli import main; main()", "results", "export", JOB]
    command += ["--format", form, "-o", str(out), "--store", directory_store.url, "--shard-size", "100"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (25_000, 25_000))

    def run(limited: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, preexec_fn=limit if limited else None, capture_output=True, text=True, check=False,
            timeout=LIMIT_S,
        )  # fmt: skip

    failed = run(limited=True)
    assert failed.returncode == 1
    assert f"cannot write {out}: files may not grow further here" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert not [name for name in files(out.parent) if name.endswith(("out", ".tar", ".parquet"))]
    done = run(limited=False)
    assert (done.returncode, "120 images" in done.stdout) == (0, True)
    resume(directory_store, big_job, form, tmp_path / "f" / "out") if not is_sharded(form) else None
    if not is_sharded(form):
        assert files(out.parent) == files(tmp_path / "f")


def test_two_exports_do_not_write_one_file(
    directory_store: DirectoryStore, big_job: Manifest, tmp_path: Path
) -> None:
    with (
        PartialFile(tmp_path / "a.tar", keep=True),
        pytest.raises(ExportError, match="another export is writing"),
    ):
        export(directory_store, big_job, "tar", tmp_path / "a.tar")


@pytest.mark.usefixtures("big_job")
def test_ctrl_c_is_told_in_a_line(directory_store: DirectoryStore, tmp_path: Path) -> None:
    slow = (
        "import time\nfrom results.stores.directory import DirectoryStore as D\nread = D.read\n"
        f"D.read = lambda self, name: (time.sleep({SLOW_READ_S * 10}), read(self, name))[1]\n"
        "from diptych.cli import main; main()"
    )
    out = tmp_path / "o" / "out.zip"
    process = subprocess.Popen(
        [sys.executable, "-c", slow, "results", "export", JOB, "--format", "zip", "-o", str(out),
         "--store", directory_store.url],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until((out.parent / "out.zip.partial").exists, "the beginning of the file")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    # click ends the line of the terminal's ^C first.
    assert [line for line in told.splitlines() if line] == [
        f"{out} is not whole yet: the same command goes on where it was", "interrupted",
    ]  # fmt: skip
    assert not out.exists()


def test_reading_runs_only_a_little_ahead(directory_store: DirectoryStore, tmp_path: Path) -> None:
    """Memory is bounded: however large the job, so many images are under way and no more."""
    job = write_job(directory_store, manifest(targets=("container",), count=400))
    store = CountingStore(directory_store.root)
    source = Source(store, job, job.targets, True, False, print)
    with export_to_path(source, "tar", tmp_path / "a.tar", 20) as running:
        for _ in range(10):
            next(running.steps)
        assert store.images_read <= 60
        running.steps.close()
