"""Painting in the worker: outcomes as answers, and the order to stop across processes."""

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
from worker_celery.in_process import Painter
from worker_celery.push_response import AnswerKind
from worker_celery.queued_delivery import Parcel
from worker_celery.shared_shutdown import SharedDrain


def parcel(attempt: int = 0, busy: int = 0) -> Parcel:
    message = queued_message(a_task(targets=("celery",)), "m1", utc_now())
    return Parcel("celery", message, attempt=attempt, busy=busy)


def painter(runtime: Runtime) -> Painter:
    return Painter(LazyRuntime(lambda: runtime))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_painted_task_is_acknowledged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery")
    answer = painter(runtime).paint(parcel(attempt=1, busy=2))
    assert answer.kind is AnswerKind.ACK
    name = record_name("job-a", "celery", 0)
    record = load(Record, runtime.store.read(name), name)
    assert (record.target, record.delivery_attempt, record.message_id) == ("celery", 4, "m1")


def test_a_permanent_error_is_recorded_and_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery", load_error=CheckpointError("damaged"))
    assert painter(runtime).paint(parcel()).kind is AnswerKind.ACK
    (info,) = runtime.store.list(failures_prefix("job-a", "celery"))
    assert load(Failure, runtime.store.read(info.name), info.name).error == "bad_checkpoint"


@pytest.mark.parametrize(("transient", "kind"), [(True, AnswerKind.BUSY), (False, AnswerKind.FAILED)])
def test_a_store_that_is_away_costs_no_attempt_and_one_that_refuses_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, transient: bool, kind: AnswerKind
) -> None:
    def refuse(name: str, _: bytes) -> None:
        raise StoreError(f"cannot write {name}", transient=transient)

    store = FaultyStore(DirectoryStore.from_url(folder.as_uri()), refuse)
    runtime = a_runtime(folder, monkeypatch, target="celery", store=store)
    answer = painter(runtime).paint(parcel())
    assert answer.kind is kind
    assert "cannot write" in answer.detail


def test_a_bug_costs_an_attempt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: Any) -> None:
        raise ZeroDivisionError("oh")

    runtime = a_runtime(folder, monkeypatch, target="celery", engine=QuickEngine(before=explode))
    answer = painter(runtime).paint(parcel())
    assert answer.kind is AnswerKind.FAILED
    assert "ZeroDivisionError" in answer.detail


def test_a_stopping_worker_gives_its_tasks_back_without_an_attempt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(folder, monkeypatch, target="celery")
    runtime.drain = SharedDrain(8.0)
    runtime.drain.start()
    answer = painter(runtime).paint(parcel())
    assert answer.kind is AnswerKind.BUSY
    assert answer.detail.startswith("draining")


def test_the_order_to_stop_reaches_processes_that_were_forked_before_it() -> None:
    drain = SharedDrain(8.0)
    assert not drain.started
    assert drain.left_s == float("inf")
    context = multiprocessing.get_context("fork")
    go, answer = context.Event(), context.SimpleQueue()

    def child() -> None:
        go.wait(20)
        answer.put((drain.started, drain.left_s))

    process = context.Process(target=child)
    process.start()
    drain.start()
    first = drain.left_s
    drain.start()
    assert drain.left_s <= first, "the second order changes nothing"
    go.set()
    started, left_s = answer.get()
    process.join()
    assert started
    assert 0.0 < left_s <= 8.0


def test_no_time_is_left_when_the_grace_is_over() -> None:
    drain = SharedDrain(0.0)
    drain.start()
    assert drain.left_s == 0.0
