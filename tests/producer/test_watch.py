"""Following a job that is being done meanwhile, by another thread as it would be by workers."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import pytest
from rich.progress import Progress

from diptych.commands.jobs.watch import plain_line
from producer.publish import all_tasks, publish_runs
from producer.watch import Bars, PlainLines, follow, watch
from results import naming
from results.errors import JobNotFound
from results.job_state import JobState, JobStatus
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.producer.conftest import JOB, ListPublisher, end_task, stored_job

TARGETS: tuple[Target, ...] = ("container", "function")


def work_between_looks(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, *, fail_last: bool = False
) -> None:
    """Let a task end whenever the watch would pause."""

    ends = [naming.record_name(JOB, target, task) for task in range(4) for target in TARGETS]
    if fail_last:
        ends[-2:] = [naming.deadletter_name(JOB, target, 3, 0) for target in TARGETS]

    def work(_: float) -> None:
        if ends:
            end_task(store, ends.pop(0))

    clock = SimpleNamespace(sleep=work, monotonic=time.monotonic)
    monkeypatch.setattr("producer.watch.time", clock)


@pytest.fixture
def state(store: DirectoryStore) -> JobState:
    manifest = stored_job(store)
    publish_runs(store, ListPublisher(), manifest, 0, [all_tasks(manifest)])
    return JobState(store, manifest)


def test_follow_sees_a_job_to_its_end(
    store: DirectoryStore, state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_between_looks(store, monkeypatch)
    done = [seen.targets["function"].counts().images_done for seen in follow(state, poll_s=0.01)]
    assert done == sorted(done)
    assert done[-1] == 10
    assert state.status is JobStatus.SUCCEEDED


def test_plain_lines_come_when_something_has_changed(
    store: DirectoryStore, state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_between_looks(store, monkeypatch, fail_last=True)
    lines: list[str] = []
    watch(state, PlainLines(lines.append, plain_line, every_s=0.0), poll_s=0.01)
    assert len(lines) == len(set(lines)) > 2
    assert lines[0] == f"{JOB} queued: container 0/10, function 0/10"
    assert lines[-1] == f"{JOB} partial: container 9/10 (tasks failed: 1), function 9/10 (tasks failed: 1)"


def test_plain_lines_are_not_too_many_but_the_end_is_always_told(
    store: DirectoryStore, state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_between_looks(store, monkeypatch)
    lines: list[str] = []
    watch(state, PlainLines(lines.append, plain_line, every_s=3600.0), poll_s=0.01)
    assert len(lines) == 2
    assert "succeeded" in lines[1]


def test_bars_show_every_target_to_its_end(
    store: DirectoryStore, state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_between_looks(store, monkeypatch)
    bars = Bars()
    watch(state, bars, poll_s=0.01)
    progress: Progress = bars._progress
    assert [(task.description, task.completed, task.total) for task in progress.tasks] == [
        ("container", 10, 10),
        ("function", 10, 10),
    ]
    assert progress.finished


def test_a_narrow_terminal_gets_whole_counts_and_no_bar(
    store: DirectoryStore,
    state: JobState,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    work_between_looks(store, monkeypatch)
    watch(state, Bars(), poll_s=0.01)
    out = capsys.readouterr().out
    assert "10/10" in out
    assert "…" not in out
    assert "images/s" not in out


def test_bars_tell_of_failed_tasks(store: DirectoryStore, state: JobState) -> None:
    end_task(store, naming.failure_name(JOB, "container", 0, 0, "d"))
    state.refresh()
    bars = Bars()
    with bars:
        bars.show(state)
    assert bars._progress.tasks[0].fields["note"] == "tasks failed: 1"


def test_a_job_that_is_removed_ends_the_watch(store: DirectoryStore) -> None:
    stored_job(store)
    looks = follow(JobState.of(store, JOB), poll_s=0.01)
    next(looks)
    shutil.rmtree(store.root / "jobs" / JOB)
    with pytest.raises(JobNotFound, match=f"no job '{JOB}' in"):
        next(looks)
