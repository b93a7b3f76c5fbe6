"""Generating in the worker: outcomes as answers, and the order to stop across processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from model.errors import CheckpointError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import queued_message
from pipeline.worker.runtime import LazyRuntime, Runtime
from results.documents import Failure, load
from results.errors import StoreError
from results.naming import failures_prefix, record_name
from results.record import Record
from results.stores.directory import DirectoryStore
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task
from tests.support.waiting import LIMIT_S
from worker_celery.in_process import InProcessDelivery
from worker_celery.push_response import PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery
from worker_celery.shared_shutdown import SharedShutdown


def queued_delivery(attempt: int = 0, busy: int = 0) -> QueuedDelivery:
    message = queued_message(a_task(targets=("celery",)), "m1", utc_now())
    return QueuedDelivery("celery", message, attempt=attempt, busy=busy)


def image_generator(runtime: Runtime) -> InProcessDelivery:
    return InProcessDelivery(LazyRuntime(lambda: runtime))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_generated_task_is_acknowledged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery")
    answer = image_generator(runtime).generate(queued_delivery(attempt=1, busy=2))
    assert answer.kind is PushResponseKind.ACK
    name = record_name("job-a", "celery", 0)
    record = load(Record, runtime.store.read(name), name)
    assert (record.target, record.delivery_attempt, record.message_id) == ("celery", 4, "m1")


def test_a_permanent_error_is_recorded_and_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery", load_error=CheckpointError("damaged"))
    assert image_generator(runtime).generate(queued_delivery()).kind is PushResponseKind.ACK
    (info,) = runtime.store.list(failures_prefix("job-a", "celery"))
    assert load(Failure, runtime.store.read(info.name), info.name).error == "bad_checkpoint"


@pytest.mark.parametrize(
    ("transient", "kind"), [(True, PushResponseKind.BUSY), (False, PushResponseKind.FAILED)]
)
def test_a_store_that_is_away_costs_no_attempt_and_one_that_refuses_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, transient: bool, kind: PushResponseKind
) -> None:
    def refuse(name: str, _: bytes) -> None:
        raise StoreError(f"cannot write {name}", transient=transient)

    store = FaultyStore(DirectoryStore.from_url(folder.as_uri()), refuse)
    runtime = a_runtime(folder, monkeypatch, target="celery", store=store)
    answer = image_generator(runtime).generate(queued_delivery())
    assert answer.kind is kind
    assert "cannot write" in answer.detail


def test_a_bug_costs_an_attempt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: Any) -> None:
        raise ZeroDivisionError("oh")

    runtime = a_runtime(folder, monkeypatch, target="celery", engine=QuickEngine(before=explode))
    answer = image_generator(runtime).generate(queued_delivery())
    assert answer.kind is PushResponseKind.FAILED
    assert "ZeroDivisionError" in answer.detail


def test_a_stopping_worker_gives_its_tasks_back_without_an_attempt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery")
    runtime.shutdown = SharedShutdown(8.0)
    runtime.shutdown.start()
    answer = image_generator(runtime).generate(queued_delivery())
    assert answer.kind is PushResponseKind.BUSY
    assert answer.detail.startswith("draining")


def test_the_order_to_stop_reaches_processes_that_were_forked_before_it() -> None:
    shutdown = SharedShutdown(1000.0)
    assert not shutdown.started
    assert shutdown.left_s == float("inf")
    context = multiprocessing.get_context("fork")
    go, answer = context.Event(), context.SimpleQueue()

    def child() -> None:
        go.wait(LIMIT_S)
        answer.put((shutdown.started, shutdown.left_s))

    process = context.Process(target=child)
    process.start()
    shutdown.start()
    first = shutdown.left_s
    shutdown.start()
    assert shutdown.left_s <= first, "the second order changes nothing"
    go.set()
    started, left_s = answer.get()
    process.join()
    assert started
    assert 0.0 < left_s <= 1000.0


def test_no_time_is_left_when_the_grace_is_over() -> None:
    shutdown = SharedShutdown(0.0)
    shutdown.start()
    assert shutdown.left_s == 0.0
