"""Cancel, resume and retry, on a real directory store."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BrokerError, RequestError
from producer.publish import Run, all_tasks, publish_runs
from producer.republish import cancel, resume, retry, runs_of
from results import naming
from results.errors import JobNotFound
from results.job_state import JobState
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.producer.conftest import JOB, ListPublisher, end_task, make_manifest, stored_job

BOTH: tuple[Target, ...] = ("container", "function")


def published(publisher: ListPublisher) -> list[tuple[int, tuple[Target, ...], int]]:
    return [(task.task_index, task.targets, task.publication) for task in publisher.tasks]


def test_resume_publishes_what_no_broker_acknowledged(store: DirectoryStore) -> None:
    manifest = stored_job(store, count=1200, images_per_task=1)
    with pytest.raises(BrokerError):
        publish_runs(store, ListPublisher(fail_after=600), manifest, 0, [all_tasks(manifest)])
    publisher = ListPublisher()
    done = resume(store, publisher, JOB)
    assert (done.publication, done.messages, done.stalled) == (1, 1400, 0)
    assert published(publisher) == [(task, BOTH, 1) for task in range(500, 1200)]
    again = resume(store, publisher, JOB)
    assert (again.publication, again.messages) == (None, 0)


def test_resume_leaves_alone_what_has_ended(store: DirectoryStore) -> None:
    """A marker may be missing though its messages got through: their tasks may have ended."""
    stored_job(store)
    end_task(store, naming.record_name(JOB, "container", 1))
    end_task(store, naming.failure_name(JOB, "function", 1, 0, "d"))
    end_task(store, naming.record_name(JOB, "function", 2))
    publisher = ListPublisher()
    assert resume(store, publisher, JOB).messages == 5
    assert published(publisher) == [(0, BOTH, 1), (2, ("container",), 1), (3, BOTH, 1)]


def test_resume_stalled_publishes_what_waits_without_progress(store: DirectoryStore) -> None:
    manifest = stored_job(store)
    publish_runs(store, ListPublisher(), manifest, 0, [all_tasks(manifest)])
    end_task(store, naming.record_name(JOB, "container", 0))
    publisher = ListPublisher()
    assert resume(store, publisher, JOB, timedelta(hours=1)).publication is None
    done = resume(store, publisher, JOB, timedelta(0))
    assert (done.messages, done.stalled) == (7, 7)
    assert published(publisher) == [(0, ("function",), 1), (1, BOTH, 1), (2, BOTH, 1), (3, BOTH, 1)]


def test_retry_publishes_failed_and_dead_tasks_of_their_targets(store: DirectoryStore) -> None:
    manifest = stored_job(store)
    publish_runs(store, ListPublisher(), manifest, 0, [all_tasks(manifest)])
    end_task(store, naming.failure_name(JOB, "container", 0, 0, "d"))
    end_task(store, naming.deadletter_name(JOB, "container", 1, 0))
    end_task(store, naming.deadletter_name(JOB, "function", 1, 0))
    end_task(store, naming.record_name(JOB, "function", 3))
    publisher = ListPublisher()
    done = retry(store, publisher, JOB)
    assert (done.publication, done.messages) == (1, 3)
    assert published(publisher) == [(0, ("container",), 1), (1, BOTH, 1)]
    assert retry(store, publisher, JOB).publication is None, "they wait now"

    end_task(store, naming.failure_name(JOB, "container", 1, 1, "d"))
    assert retry(store, publisher, JOB).publication == 2


def test_cancel_is_final(store: DirectoryStore) -> None:
    stored_job(store)
    end_task(store, naming.failure_name(JOB, "container", 0, 0, "d"))
    assert cancel(store, JOB)
    assert not cancel(store, JOB)
    assert JobState.of(store, JOB).cancelled
    for again in (resume, retry):
        with pytest.raises(RequestError, match="cancelled permanently"):
            again(store, ListPublisher(), JOB)


def test_a_job_that_has_ended_cannot_be_cancelled(store: DirectoryStore) -> None:
    stored_job(store, count=3, targets=("container",))
    end_task(store, naming.record_name(JOB, "container", 0))
    with pytest.raises(RequestError, match=r"has ended \(succeeded\)"):
        cancel(store, JOB)
    assert store.stat(naming.cancelled_name(JOB)) is None


def test_there_must_be_such_a_job(store: DirectoryStore) -> None:
    with pytest.raises(JobNotFound):
        cancel(store, "no-such-job")
    with pytest.raises(JobNotFound):
        resume(store, ListPublisher(), "no-such-job")


@given(st.lists(st.sampled_from([(), ("container",), ("function",), BOTH]), max_size=40))
def test_runs_are_disjoint_maximal_and_complete(wanted: list[tuple[Target, ...]]) -> None:
    runs = runs_of(len(wanted), lambda task: wanted[task])
    covered = {task: run.targets for run in runs for task in range(run.first, run.last + 1)}
    assert covered == {task: targets for task, targets in enumerate(wanted) if targets}
    for one, other in itertools.pairwise(runs):
        assert one.last < other.first
        assert one.last < other.first - 1 or one.targets != other.targets


def test_a_run_is_cut_into_chunks_that_cover_it() -> None:
    chunks = [*Run(3, 1250, BOTH).chunks()]
    assert [(chunk.first, chunk.last) for chunk in chunks] == [(3, 502), (503, 1002), (1003, 1250)]
    assert all(chunk.targets == BOTH for chunk in chunks)
    assert [*all_tasks(make_manifest()).chunks()] == [Run(0, 3, BOTH)]
