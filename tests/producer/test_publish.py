"""Publishing in chunks, each marked in the store once the broker has it."""

from __future__ import annotations

import pytest

from pipeline.errors import BrokerError, RequestError
from producer.publish import CHUNK_TASKS, Run, all_tasks, publish_runs
from results import naming
from results.documents import PublishedChunk, load
from results.stores.directory import DirectoryStore
from tests.producer.conftest import JOB, ListPublisher, make_manifest


def markers(store: DirectoryStore) -> list[str]:
    prefix = naming.published_prefix(JOB)
    return [info.name.removeprefix(prefix) for info in store.list(prefix)]


def test_the_tasks_cover_the_images_once(store: DirectoryStore) -> None:
    publisher, manifest = ListPublisher(), make_manifest()
    assert publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)]) == 8
    assert [index for task in publisher.tasks for index in task.indices] == [*range(10)]
    assert [task.task_index for task in publisher.tasks] == [0, 1, 2, 3]
    first = publisher.tasks[0]
    assert (first.seed, first.model, first.submitted_at) == (7, "faces-64", manifest.submitted_at)
    assert len({task.publication_started_at for task in publisher.tasks}) == 1
    assert markers(store) == ["000-000000-000003.json"]


def test_a_large_job_is_published_chunk_by_chunk(store: DirectoryStore) -> None:
    publisher, manifest = ListPublisher(), make_manifest(count=1200, images_per_task=1)
    publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    assert publisher.calls == [CHUNK_TASKS, CHUNK_TASKS, 200]
    assert markers(store) == [
        "000-000000-000499.json",
        "000-000500-000999.json",
        "000-001000-001199.json",
    ]


def test_a_chunk_that_the_broker_did_not_take_is_not_marked(store: DirectoryStore) -> None:
    publisher, manifest = ListPublisher(fail_after=700), make_manifest(count=1200, images_per_task=1)
    with pytest.raises(BrokerError):
        publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    assert markers(store) == ["000-000000-000499.json"]


def test_a_marker_says_which_targets(store: DirectoryStore) -> None:
    publisher, manifest = ListPublisher(), make_manifest()
    runs = [Run(1, 1, ("function",)), Run(3, 3, ("container", "function"))]
    assert publish_runs(store, publisher, manifest, 2, runs) == 3
    assert [(task.task_index, task.targets, task.publication) for task in publisher.tasks] == [
        (1, ("function",), 2),
        (3, ("container", "function"), 2),
    ]
    name = naming.published_name(JOB, 2, 1, 1)
    chunk = load(PublishedChunk, store.read(name), name)
    assert (chunk.targets, chunk.publication) == (("function",), 2)
    assert chunk.publication_started_at == publisher.tasks[0].publication_started_at <= chunk.published_at


def test_two_commands_that_publish_the_same_chunk_are_told_apart(store: DirectoryStore) -> None:
    manifest = make_manifest()
    publish_runs(store, ListPublisher(), manifest, 1, [all_tasks(manifest)])
    with pytest.raises(RequestError, match="another command is publishing"):
        publish_runs(store, ListPublisher(), manifest, 1, [all_tasks(manifest)])


def test_publications_end_at_their_limit(store: DirectoryStore) -> None:
    manifest = make_manifest()
    with pytest.raises(RequestError, match="submit a new job"):
        publish_runs(store, ListPublisher(), manifest, 1000, [all_tasks(manifest)])
