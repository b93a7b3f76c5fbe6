"""Which tasks an emulator that died has taken along: the store says, by when they were published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.pubsub import recovery as pubsub_recovery
from local.pubsub.recovery import Window, republish_lost
from pipeline.config.settings import Settings
from producer.publish import all_tasks, publish_runs
from results import naming
from results.documents import JSON_TYPE
from results.stores.directory import DirectoryStore
from tests.producer.conftest import JOB, ListPublisher, end_task, stored_job

AGES_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A store with a job of 4 tasks, all published; task 1 is done by both, task 2 by the container."""
    store = DirectoryStore.from_url((tmp_path / "store").as_uri())
    manifest = stored_job(store)
    publish_runs(store, ListPublisher(), manifest, 0, [all_tasks(manifest)])
    for target, task in (("container", 1), ("function", 1), ("container", 2)):
        end_task(store, naming.record_name(JOB, target, task))
    return store


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> ListPublisher:
    """Takes what is published again."""
    publisher = ListPublisher()
    monkeypatch.setattr(pubsub_recovery, "open_publisher", lambda _: publisher)
    return publisher


def recover(store: DirectoryStore, since: datetime | None, until: datetime) -> list[str]:
    return [*republish_lost(store, Settings(), Window(since, until))]


def test_what_has_not_ended_is_published_again_for_whom_it_has_not(
    store: DirectoryStore, publisher: ListPublisher
) -> None:
    assert recover(store, None, later()) == [
        f"job {JOB}: 5 tasks published again, which the emulator had lost"
    ]
    again = {(task.task_index, target) for task in publisher.tasks for target in task.targets}
    assert again == {
        (0, "container"), (0, "function"), (2, "function"), (3, "container"), (3, "function")
    }  # fmt: skip


def test_what_the_present_emulator_holds_is_left_alone(
    store: DirectoryStore, publisher: ListPublisher
) -> None:
    assert recover(store, None, AGES_AGO) == []
    assert publisher.tasks == []


def test_what_went_through_another_broker_is_left_alone(
    store: DirectoryStore, publisher: ListPublisher
) -> None:
    assert recover(store, later(), later()) == []
    assert publisher.tasks == []


def test_a_cancelled_job_stays_so(store: DirectoryStore, publisher: ListPublisher) -> None:
    store.create(naming.cancelled_name(JOB), b"{}", JSON_TYPE)
    assert recover(store, None, later()) == []
    assert publisher.tasks == []


def test_a_job_that_cannot_be_read_is_named_and_the_others_go_on(
    store: DirectoryStore, publisher: ListPublisher
) -> None:
    store.create(naming.manifest_name("a-bad-one"), b"no manifest", JSON_TYPE)
    store.create(naming.published_name("a-bad-one", 0, 0, 0), b"{}", JSON_TYPE)
    bad, good = recover(store, None, later())
    assert bad.startswith("lost tasks of job a-bad-one cannot be published again: ")
    assert good.startswith(f"job {JOB}: 5 tasks")
    assert publisher.tasks
