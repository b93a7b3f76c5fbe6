"""The state of a job, told from the names in a real directory store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from results import naming
from results.documents import JSON_TYPE, Cancellation, Manifest, PublishedChunk, dump
from results.errors import DocumentError, JobNotFound
from results.job_state import JobState, JobStatus, load_manifest
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.target_state import TaskState
from results.targets import Target

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
JOB = "a-job"


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "job_id": JOB, "model": "faces-64", "model_digest": f"sha256:{'0' * 64}", "resolution": 64,
        "count": 10, "seed": 7, "targets": ("container", "function"), "images_per_task": 3,
        "submitted_at": NOW,
    }  # fmt: skip
    return Manifest.model_validate(fields | changes)


class Writer:
    """Writes what workers and producers would, as far as names tell."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, name: str, data: bytes = b"{}\n") -> None:
        self.store.create(name, data, JSON_TYPE)

    def published(self, first: int, last: int, publication: int = 0, *targets: Target) -> None:
        chunk = PublishedChunk(
            publication=publication, first_task=first, last_task=last, publication_started_at=NOW,
            published_at=NOW, targets=targets or ("container", "function"),
        )  # fmt: skip
        self.put(naming.published_name(JOB, publication, first, last), dump(chunk))

    def record(self, task: int, *targets: str) -> None:
        for target in targets or ("container", "function"):
            self.put(naming.record_name(JOB, target, task))

    def failure(self, task: int, publication: int = 0, target: str = "container") -> None:
        self.put(naming.failure_name(JOB, target, task, publication, "d1"))

    def dead(self, task: int, publication: int = 0, target: str = "container") -> None:
        self.put(naming.deadletter_name(JOB, target, task, publication))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    store = DirectoryStore.from_url((tmp_path / "store").as_uri())
    writer = Writer(store)
    writer.put(naming.manifest_name(JOB), dump(manifest()))
    return writer


def states(state: JobState, target: Target = "container") -> list[str]:
    return [str(state.targets[target].state(task)) for task in range(state.manifest.task_count)]


def test_nothing_published_is_queued(writer: Writer) -> None:
    state = JobState.of(writer.store, JOB)
    assert states(state) == ["unpublished"] * 4
    assert state.status is JobStatus.QUEUED
    assert state.last_progress_at is None


def test_the_precedence_of_states(writer: Writer) -> None:
    writer.published(0, 3)
    writer.record(0)
    writer.failure(1)
    writer.dead(2)
    state = JobState.of(writer.store, JOB)
    assert states(state) == ["done", "failed", "dead", "published"]
    assert state.status is JobStatus.RUNNING
    counts = state.targets["container"].counts()
    assert (counts.done, counts.failed, counts.dead, counts.published, counts.unpublished) == (1, 1, 1, 1, 0)
    assert (counts.images_done, counts.images, counts.ended) == (3, 10, 3)

    writer.put(naming.cancelled_name(JOB), dump(Cancellation(cancelled_at=NOW)))
    state.refresh()
    assert states(state) == ["done", "cancelled", "cancelled", "cancelled"]
    assert str(state.status) == "cancelled"
    counts = state.targets["container"].counts()
    assert (counts.done, counts.cancelled, counts.failed, counts.published) == (1, 3, 0, 0)

    writer.record(1)
    state.refresh()
    assert states(state)[1] == "done", "what was in flight may still commit"


def test_a_later_publication_takes_a_failure_back_for_its_target_only(writer: Writer) -> None:
    writer.published(0, 3)
    writer.failure(1)
    writer.failure(1, target="function")
    writer.published(1, 1, 1, "container")
    state = JobState.of(writer.store, JOB)
    assert states(state)[1] == "published"
    assert states(state, "function")[1] == "failed"
    assert state.next_publication() == 2

    writer.dead(1, publication=1)
    state.refresh()
    assert states(state)[1] == "dead"
    assert [(p.publication, p.state) for p in state.targets["container"].problems()] == [(1, TaskState.DEAD)]


def test_a_failure_of_a_publication_that_was_never_marked_counts(writer: Writer) -> None:
    writer.published(0, 3)
    writer.failure(2, publication=4)
    state = JobState.of(writer.store, JOB)
    assert states(state)[2] == "failed"
    assert state.next_publication() == 5


def test_within_one_publication_a_failure_says_more_than_a_dead_letter(writer: Writer) -> None:
    writer.published(0, 3)
    writer.dead(0)
    writer.failure(0)
    assert states(JobState.of(writer.store, JOB))[0] == "failed"


@pytest.mark.parametrize(
    ("done", "failed", "expected"),
    [
        ([0, 1, 2, 3], [], JobStatus.SUCCEEDED),
        ([0, 1], [2, 3], JobStatus.PARTIAL),
        ([], [0, 1, 2, 3], JobStatus.FAILED),
        ([0], [1], JobStatus.RUNNING),
    ],
)
def test_the_job_in_one_word(writer: Writer, done: list[int], failed: list[int], expected: JobStatus) -> None:
    writer.published(0, 3)
    for task in done:
        writer.record(task)
    for task in failed:
        for target in ("container", "function"):
            writer.failure(task, target=target)
    status = JobState.of(writer.store, JOB).status
    assert status is expected
    assert status.ended == (expected is not JobStatus.RUNNING)


def test_all_recorded_beats_cancelled(writer: Writer) -> None:
    for task in range(4):
        writer.record(task)
    writer.put(naming.cancelled_name(JOB))
    assert JobState.of(writer.store, JOB).status is JobStatus.SUCCEEDED


def test_the_last_task_holds_fewer_images(writer: Writer) -> None:
    writer.record(3, "container")
    counts = JobState.of(writer.store, JOB).targets["container"].counts()
    assert counts.images_done == 1
    for task in range(3):
        writer.record(task, "container")
    counts = JobState.of(writer.store, JOB).targets["container"].counts()
    assert counts.images_done == 10


def test_refresh_lists_on_from_the_end_of_the_done_prefix(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    real = DirectoryStore.list

    def spy(store: DirectoryStore, prefix: str, *, after: str | None = None) -> Any:
        if prefix == naming.records_prefix(JOB, "container"):
            asked.append(after)
        return real(store, prefix, after=after)

    monkeypatch.setattr(DirectoryStore, "list", spy)
    for task in (0, 1, 3):
        writer.record(task)
    state = JobState.of(writer.store, JOB)
    writer.record(2)
    state.refresh()
    state.refresh()
    assert asked == [None, naming.record_name(JOB, "container", 1), naming.record_name(JOB, "container", 3)]
    assert states(state) == ["done"] * 4


def test_foreign_names_are_passed_over(writer: Writer) -> None:
    writer.record(1)
    for name in ("000099.json", "x.json", "000002.json.bak", "sub/000002.json"):
        writer.put(naming.records_prefix(JOB, "container") + name)
    writer.put(naming.failures_prefix(JOB, "container") + "000099-000-d.json")
    writer.put(naming.published_prefix(JOB) + "readme.json")
    assert states(JobState.of(writer.store, JOB)) == ["unpublished", "done", "unpublished", "unpublished"]


def test_a_chunk_that_reaches_beyond_the_job_is_cut(writer: Writer) -> None:
    writer.published(2, 900)
    assert states(JobState.of(writer.store, JOB)) == ["unpublished", "unpublished", "published", "published"]


def test_progress_is_the_stores_time_of_the_last_end(writer: Writer) -> None:
    writer.published(0, 3)
    state = JobState.of(writer.store, JOB)
    assert state.last_progress_at == state.published_at
    assert state.targets["container"].last_progress_at is None
    writer.record(0, "function")
    state.refresh()
    info = writer.store.stat(naming.record_name(JOB, "function", 0))
    assert info is not None
    assert state.last_progress_at == info.created_at == state.targets["function"].last_progress_at


def test_tasks_in_yields_the_tasks_of_some_states(writer: Writer) -> None:
    writer.published(0, 2)
    writer.failure(1)
    target = JobState.of(writer.store, JOB).targets["container"]
    assert [*target.tasks_in([TaskState.PUBLISHED])] == [0, 2]
    assert [*target.tasks_in([TaskState.FAILED, TaskState.UNPUBLISHED])] == [1, 3]


def test_a_missing_job_and_a_damaged_manifest_are_told_apart(writer: Writer) -> None:
    with pytest.raises(JobNotFound, match="no-such"):
        load_manifest(writer.store, "no-such")
    writer.put(naming.manifest_name("broken"), b"{")
    with pytest.raises(DocumentError, match=r"jobs/broken/job\.json"):
        load_manifest(writer.store, "broken")


def test_counts_add_up_for_a_large_job(tmp_path: Path) -> None:
    big = manifest(count=100_000, images_per_task=1, targets=("container",))
    store = DirectoryStore.from_url((tmp_path / "store").as_uri())
    state = JobState(store, big)
    target = state.targets["container"]
    target.mark_published(0, range(60_000))
    target.mark_published(2, range(59_000, 61_000))
    writer = Writer(store)
    for task in (5, 59_500, 70_000):
        writer.record(task, "container")
    for task in (6, 59_600, 80_000):
        writer.failure(task)
    state.refresh()
    counts = target.counts()
    by_task = [target.state(task) for task in range(100_000)]
    assert counts.done == by_task.count(TaskState.DONE) == 3
    assert counts.failed == by_task.count(TaskState.FAILED) == 2  # task 59,600 was published again
    assert counts.published == by_task.count(TaskState.PUBLISHED) == 60_997
    assert counts.unpublished == by_task.count(TaskState.UNPUBLISHED) == 38_998
