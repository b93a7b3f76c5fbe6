"""The target `celery` end to end: a real broker, a real prefork worker, the real engine, a real store."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config.celery_settings import queue_name
from pipeline.protocol.task_message import TaskMessage
from producer.celery.publisher import CeleryPublisher
from results.documents import Failure, load
from results.naming import failures_prefix, images_prefix, record_name, records_prefix
from results.record import Record
from results.stores.directory import DirectoryStore
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.valkey import ValkeyServer
from tests.support.waiting import LIMIT_S, wait_until
from tests.worker_celery.conftest import Workers, task

RECORD = record_name("a-job", "celery", 0)
LONG_COUNT = 150


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def tiny_task(index: int, digest: str, *, count: int = 4) -> TaskMessage:
    now = datetime.now(UTC)
    changes = {
        "model": "tiny", "model_digest": digest, "image_count": count, "first_index": index * count,
        "submitted_at": now, "publication_started_at": now,
    }  # fmt: skip
    return task(index, "celery").model_copy(update=changes)


def long_task(model_dir: Path) -> TaskMessage:
    """A task that takes long enough to be killed in."""
    return tiny_task(0, save_tiny(model_dir, resolution=64, width=48), count=LONG_COUNT)


def all_acknowledged(valkey: ValkeyServer) -> bool:
    return valkey.length(queue_name("celery")) == 0 and valkey.unacknowledged() == 0


def test_a_worker_generates_and_commits(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    store: DirectoryStore,
    model_dir: Path,
) -> None:
    digest = save_tiny(model_dir)
    publisher.publish([tiny_task(index, digest) for index in range(3)])
    publisher.publish([tiny_task(3, f"sha256:{'1' * 64}")])
    worker = workers.start("celery", model_dir=model_dir)
    wait_until(lambda: len([*store.list(records_prefix("a-job", "celery"))]) == 3, "three records")
    # A message that kombu has taken and not yet noted is in neither place: the failure shows that it came.
    wait_until(lambda: [*store.list(failures_prefix("a-job", "celery"))], "the failure")
    wait_until(lambda: all_acknowledged(valkey), "every acknowledgement")
    assert len([*store.list(images_prefix("a-job", "celery"))]) == 12
    (failed,) = store.list(failures_prefix("a-job", "celery"))
    assert load(Failure, store.read(failed.name), failed.name).error == "model_digest_mismatch"
    worker.terminate()
    assert worker.wait(LIMIT_S) == 0


def test_the_task_of_a_killed_worker_comes_back_and_has_cost_an_attempt(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    store: DirectoryStore,
    model_dir: Path,
) -> None:
    publisher.publish([long_task(model_dir)])
    first = workers.start("celery", model_dir=model_dir, batch_size=1, visibility_timeout_s=2)
    wait_until(lambda: [*store.list(images_prefix("a-job", "celery"))], "the first image")
    os.killpg(first.pid, signal.SIGKILL)
    assert store.stat(RECORD) is None, "killed too late: make the task longer"
    workers.start("celery", model_dir=model_dir, batch_size=1, visibility_timeout_s=2)
    wait_until(lambda: store.stat(RECORD), "the record")
    wait_until(lambda: all_acknowledged(valkey), "the acknowledgement")
    record = load(Record, store.read(RECORD), RECORD)
    assert record.delivery_attempt == 2
    assert record.images_found > 0
    assert record.images_painted + record.images_found == LONG_COUNT


def test_a_worker_that_is_asked_to_stop_gives_its_task_back_with_its_images_kept(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    store: DirectoryStore,
    model_dir: Path,
) -> None:
    publisher.publish([long_task(model_dir)])
    worker = workers.start("celery", model_dir=model_dir, batch_size=1, drain_s=0.0)
    wait_until(lambda: [*store.list(images_prefix("a-job", "celery"))], "the first image")
    worker.terminate()
    assert worker.wait(LIMIT_S) == 0
    assert store.stat(RECORD) is None
    assert valkey.length(queue_name("celery")) == 1
    assert valkey.unacknowledged() == 0
    assert "busy, again in" in workers.log_text()
