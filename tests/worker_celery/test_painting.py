"""The target `celery` end to end: a real broker, a real prefork worker, the real engine, a real store."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.celery_settings import queue_name
from pipeline.messages import TaskMessage
from producer.celery_publisher import CeleryPublisher
from results.documents import Failure, load
from results.naming import failures_prefix, images_prefix, record_name, records_prefix
from results.record import Record
from results.stores.directory import DirectoryStore
from tests.pipeline.checkpoints import save_tiny
from tests.valkey import ValkeyServer
from tests.worker_celery.conftest import Workers, task, wait_until


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


def all_acknowledged(valkey: ValkeyServer) -> bool:
    return valkey.length(queue_name("celery")) == 0 and valkey.unacknowledged() == 0


def test_a_worker_paints_and_commits(
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
    wait_until(lambda: all_acknowledged(valkey), "every acknowledgement")
    assert len([*store.list(images_prefix("a-job", "celery"))]) == 12
    (failed,) = store.list(failures_prefix("a-job", "celery"))
    assert load(Failure, store.read(failed.name), failed.name).error == "model_digest_mismatch"
    worker.terminate()
    assert worker.wait(20) == 0


def test_the_task_of_a_killed_worker_comes_back_and_has_cost_an_attempt(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    store: DirectoryStore,
    model_dir: Path,
) -> None:
    digest = save_tiny(model_dir, resolution=128, width=64)
    publisher.publish([tiny_task(0, digest, count=64)])
    settings = {"model_dir": model_dir, "batch_size": 2, "visibility_timeout_s": 2}
    first = workers.start("celery", **settings)
    wait_until(lambda: [*store.list(images_prefix("a-job", "celery"))], "the first images")
    os.killpg(first.pid, signal.SIGKILL)
    assert store.stat(record_name("a-job", "celery", 0)) is None, "killed too late: make the task longer"
    workers.start("celery", **settings)
    wait_until(lambda: store.stat(record_name("a-job", "celery", 0)), "the record")
    wait_until(lambda: all_acknowledged(valkey), "the acknowledgement")
    name = record_name("a-job", "celery", 0)
    record = load(Record, store.read(name), name)
    assert record.delivery_attempt == 2
    assert record.images_found > 0
    assert record.images_painted + record.images_found == 64
