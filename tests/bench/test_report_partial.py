"""What can happen in the middle of a run: it leaves a labelled, readable result, and is never lost."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from bench.load.generator import load_generator as generator_module
from bench.runs.raw import RawLog
from bench.runs.read import StoredRun, read_run
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from local import stack as stack_module
from local.errors import StackError
from local.options import StackOptions
from local.services import WORKERS, container
from local.stack import Stack
from tests.support import missing
from tests.support.builders.experiments import EXPERIMENT
from tests.support.builders.full_disk import FullDisk
from tests.support.servers.http_target import http_target

QUEUE = ("--jobs", "6", "--images", "1", "--rate", "4/s", "--target", "container", "--model", NAME)
ASKED = {
    "queue": QUEUE,
    "cold": ("--repeats", "2", "--no-imports", "--model", NAME),
    "compare": (),
    "scale": (
        *("--workers", "1,2", "--counts", "1e3", "--images", "1", "--rounds", "1", "--model", NAME),
        *("--duration", "1s", "--warm-up", "0.5s"),
    ),
}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(tmp_path / "models")
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(tmp_path / "models"))


def invoke(command: str, *arguments: str) -> Result:
    return CliRunner().invoke(bench, [command, *arguments])


def partial_run(folder: Path, done: Result, status: str) -> StoredRun:
    """The run, labelled everywhere: in the terminal, in the summary, in the report."""
    run = read_run(folder)
    assert status in run.status
    assert f"PARTIAL: {run.status}" in done.output
    assert "PARTIAL: " in (folder / "report.html").read_text()
    again = invoke("report", str(folder))
    assert again.exit_code == 0, again.output
    assert read_run(folder).status == run.status
    return run


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("kind", ["load", *ASKED])
def test_a_disk_that_fills_up_ends_the_run_and_keeps_its_rows(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short_of_room(path: Path, columns: Sequence[str]) -> RawLog:
        # Room for the heads, two whole rows and a torn one.
        room = len(",".join(columns)) + (500 if kind == "queue" else 420)
        return RawLog(path, columns, FullDisk(path, room))  # type: ignore[arg-type]

    monkeypatch.setattr("bench.runs.folder.RawLog", short_of_room)
    out = tmp_path / "run"
    with http_target(lambda _: (204, {})) as target:
        url = ("--target", "container", "--container-url", target.url)
        asked = {**ASKED, "load": (*("--users", "1", "--duration", "60s"), *url)}[kind]
        if kind == "compare":
            (tmp_path / "experiment.toml").write_text(EXPERIMENT)
            asked = (str(tmp_path / "experiment.toml"),)
        done = invoke(kind, *asked, "--out", str(out))
    assert done.exit_code == 4, done.output
    run = partial_run(out, done, "disk full: requests.csv ends after")
    assert 1 <= len(run.rows) == run.summary["raw_rows"] <= 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 6 MiB."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip(missing.MOUNT)
    disk = tmp_path / "disk"
    disk.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", str(disk).encode(), b"tmpfs", 0, b"size=6m"):
        pytest.skip(missing.MOUNT)
    try:
        yield disk
    finally:
        libc.umount2(str(disk).encode(), 2)


def test_a_real_disk_that_is_full_has_room_for_the_report(small_disk: Path) -> None:
    out = small_disk / "run"
    with http_target(lambda _: (204, {})) as target:
        url = ("--target", "container", "--container-url", target.url)
        done = invoke("load", "--users", "4", "--duration", "3m", *url, "--out", str(out))
    assert done.exit_code == 4, done.output
    run = partial_run(out, done, "No space left on device")
    assert len(run.rows) == run.summary["raw_rows"] > 10_000
    assert run.results["targets"]["container"]["measured"]["ok"] > 1000
    assert {path.name for path in out.iterdir()} >= {"report.html", "summary.json", "resources.csv"}
    assert not [*out.glob(".*")]


def test_a_target_that_dies_in_the_middle_of_a_load_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_module, "ERROR_PAUSE_S", 0.05)
    out = tmp_path / "run"
    with ExitStack() as stack:
        listening = ExitStack()

        def answer(number: int) -> tuple[int, dict[str, str]] | None:
            """Up to the 200th; from then on open connections are closed, and new ones refused."""
            if number == 200:
                closing = threading.Thread(target=listening.close)
                closing.start()
                stack.callback(closing.join)
            return (204, {}) if number < 200 else None

        target = listening.enter_context(http_target(answer))
        url = ("--target", "container", "--container-url", target.url)
        asked = ("--users", "2", "--duration", "3s", "--warm-up", "0s", "--fail-if", "error_rate > 0")
        done = invoke("load", *asked, *url, "--out", str(out))
    assert done.exit_code == 3, done.output
    measured = read_run(out).results["targets"]["container"]["measured"]
    assert measured["ok"] == 200
    assert measured["error"] > 1
    assert any("connect" in error.lower() for error in measured["errors"])


def test_a_worker_that_does_not_start_leaves_a_readable_load_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is measured, the function then breaks: nothing of the container is lost."""
    broken = (sys.executable, "-c", "raise SystemExit('no worker today')")
    monkeypatch.setitem(WORKERS, "function", lambda layout: replace(container(layout), argv=broken))
    out = tmp_path / "run"
    done = invoke("load", "--users", "1", "--duration", "1s", "--warm-up", "0.2s", "--out", str(out))
    assert isinstance(done.exception, StackError)
    run = read_run(out)
    assert run.status.startswith("failed: ")
    assert run.results["targets"]["container"]["measured"]["ok"] > 1
    assert "PARTIAL: failed: " in (out / "report.html").read_text()


@contextmanager
def watched(options: StackOptions, out: Path, act: Callable[[Stack], None]) -> Iterator[Stack]:
    """A stack that something happens to once the first record was seen."""
    over = threading.Event()

    def wait_and_act() -> None:
        raw = out / "requests.csv"
        while raw.read_text().count("\n") < 2:
            if over.wait(0.05):
                return
        act(stack)

    with stack_module.running(options) as stack:
        thread = threading.Thread(target=wait_and_act)
        thread.start()
        try:
            yield stack
        finally:
            over.set()
            thread.join()


@pytest.mark.usefixtures("models")
def test_a_stack_that_ends_in_the_middle_of_a_queue_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr("bench.queue.run.running", lambda options: watched(options, out, Stack.stop))
    done = invoke("queue", *QUEUE, "--out", str(out), "--jobs", "400")
    assert done.exit_code == 4, done.output
    run = partial_run(out, done, "")
    assert run.status.startswith(("the stack ended", "a submission failed"))
    assert run.rows
    assert len(run.rows) < 400


@pytest.mark.usefixtures("models")
def test_a_worker_that_is_killed_in_the_middle_of_a_queue_run_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill(stack: Stack) -> None:
        pid = stack.pid("container")
        assert pid is not None
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in family:
            process.kill()
            killed.append(process.pid)

    out = tmp_path / "run"
    monkeypatch.setattr("bench.queue.run.running", lambda options: watched(options, out, kill))
    done = invoke("queue", *QUEUE, "--out", str(out), "--jobs", "12")
    assert done.exit_code == 0, done.output
    assert killed
    run = read_run(out)
    assert run.status == "complete"
    assert [row["outcome"] for row in run.rows] == ["ok"] * 12
    assert len({row["instance"] for row in run.rows}) == 2


@pytest.mark.usefixtures("models")
def test_an_instance_that_does_not_start_leaves_a_readable_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (sys.executable, "-c", "raise SystemExit('no worker today')")
    monkeypatch.setitem(WORKERS, "function", lambda layout: replace(container(layout), argv=broken))
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    out = tmp_path / "run"
    done = invoke("compare", str(tmp_path / "experiment.toml"), "--out", str(out))
    assert isinstance(done.exception, StackError)
    assert read_run(out).status.startswith("failed: ")
    assert "0 of 2 pairs" in (out / "report.html").read_text()
