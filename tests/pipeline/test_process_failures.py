"""process_task over a real directory store: what goes wrong, and what is left of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model.errors import CheckpointError, UnknownModelError
from pipeline.protocol.outcomes import Outcome
from pipeline.worker.process import process_task
from results.documents import JSON_TYPE, Failure
from results.errors import StoreError
from results.naming import image_name, images_prefix, record_name
from results.stores.open import open_store
from tests.support.builders.fakes import QuickEngine, a_delivery, a_runtime
from tests.support.builders.job_objects import JOB, names, only
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task


def test_stored_image_of_another_seed_fails_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    process_task(a_task(seed=8, image_count=1), a_delivery(), runtime)
    runtime.store.delete(record_name(JOB, "container", 0))
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "image_conflict")
    assert only(runtime.store, "jobs/job-a/container/failures/", Failure).error == "image_conflict"


def test_damaged_stored_image_fails_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    runtime.store.create(image_name(JOB, "container", 1), b"no picture", "image/png")
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "stored_image_damaged")


def test_damaged_record_of_another_delivery_fails_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    runtime.store.create(record_name(JOB, "container", 0), b"{}", JSON_TYPE)
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "stored_record_damaged")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckpointError("tiny: damaged:\nnot sound"), "bad_checkpoint"),
        (UnknownModelError("x"), "unknown_model"),
    ],
)
def test_model_error_is_recorded_and_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any, code: str
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch, load_error=error)
    result = process_task(a_task(publication=2), a_delivery(attempt=5), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, code)
    failure = only(runtime.store, "jobs/job-a/container/failures/", Failure)
    assert (failure.error, failure.publication, failure.delivery_attempt) == (code, 2, 5)
    assert "\n" not in failure.detail
    assert failure.process_s > 0
    assert (failure.images_painted, failure.images_found) == (0, 0)


def test_failure_half_way_counts_the_work_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=2)

    def fail_in_the_third_batch(_seeds: Sequence[int]) -> None:
        if len(engine.batches) == 2:
            raise CheckpointError("weights are not finite")

    engine.before = fail_in_the_third_batch
    assert process_task(a_task(image_count=6), a_delivery(), runtime).outcome is Outcome.FAILED
    failure = only(runtime.store, "jobs/job-a/container/failures/", Failure)
    assert 0 <= failure.images_painted <= 4
    assert failure.images_painted == len(names(runtime.store, images_prefix(JOB, "container")))


def test_params_that_the_family_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = CheckpointError("must not be loaded")
    runtime = a_runtime(tmp_path, monkeypatch, load_error=loaded)
    result = process_task(a_task(params={"prompt": "a cat"}), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "bad_params")


@pytest.mark.parametrize("transient", [True, False])
@pytest.mark.parametrize("part", ["/images/", "/records/"])
def test_store_error_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, transient: bool
) -> None:
    def refuse(name: str, _data: bytes) -> None:
        if part in name:
            raise StoreError("the store is away", transient=transient)

    store = FaultyStore(open_store(tmp_path.as_uri()), refuse)
    runtime = a_runtime(tmp_path, monkeypatch, store=store)
    result = process_task(a_task(), a_delivery(), runtime)
    assert result.outcome is Outcome.RETRY
    assert result.at_fault is not transient
    assert result.reason == ("store_unavailable" if transient else "store_refused")
    assert (result.retry_after_s is not None) is transient
    # The store is back: what was generated is found, and nothing is lost.
    store.on_create = lambda _name, _data: None
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.DONE


def test_failure_that_cannot_be_recorded_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_name: str, _data: bytes) -> None:
        raise StoreError("the store is away", transient=True)

    store = FaultyStore(open_store(tmp_path.as_uri()), refuse)
    runtime = a_runtime(tmp_path, monkeypatch, store=store, load_error=UnknownModelError("x"))
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.RETRY


def test_out_of_memory_counts_as_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(_seeds: Sequence[int]) -> None:
        raise MemoryError

    runtime = a_runtime(tmp_path, monkeypatch, engine=QuickEngine(before=run_out))
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "out_of_memory", True)


def test_slow_store_bounds_the_images_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, stored, generated, ahead = QuickEngine(), [0], [0], []
    lock = threading.Lock()

    def store_one(name: str, _data: bytes) -> None:
        if "/images/" in name:
            with lock:
                stored[0] += 1

    def look(seeds: Sequence[int]) -> None:
        with lock:
            ahead.append(generated[0] - stored[0])
        generated[0] += len(seeds)

    engine.before = look
    store = FaultyStore(open_store(tmp_path.as_uri()), store_one)
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, store=store, batch_size=4)
    assert process_task(a_task(image_count=60), a_delivery(), runtime).outcome is Outcome.DONE
    assert max(ahead) <= 8


def test_no_thread_works_on_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    def refuse_the_first(name: str, _data: bytes) -> None:
        writes.append(name)
        if name.endswith("00000000.png"):
            raise StoreError("no", transient=True)

    store = FaultyStore(open_store(tmp_path.as_uri()), refuse_the_first)
    runtime = a_runtime(tmp_path, monkeypatch, store=store, batch_size=16)
    assert process_task(a_task(image_count=16), a_delivery(), runtime).outcome is Outcome.RETRY
    count = len(writes)
    runtime.io.submit(lambda: None).result()
    assert len(writes) == count
    assert not [thread for thread in threading.enumerate() if thread.name == "rss-sampler"]
