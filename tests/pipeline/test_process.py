"""process_task over a real directory store: every way in which a delivery can end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.errors import CheckpointError, UnknownModelError
from model.seeds import image_seed
from pipeline.clock import utc_now
from pipeline.outcomes import Outcome
from pipeline.process import process_task
from pipeline.runtime import Runtime
from results.documents import JSON_TYPE, Cancellation, Duplicate, Failure, dump, load
from results.errors import ObjectExists, StoreError
from results.naming import cancelled_name, image_name, images_prefix, record_name
from results.png import decode, pixel_sha256, read_provenance
from results.record import Record
from results.stores.base import Store
from results.stores.open import open_store
from tests.pipeline.fakes import QuickEngine, a_delivery, a_runtime
from tests.pipeline.stores import FaultyStore
from tests.pipeline.tasks import a_task

JOB = "job-a"


def read_record(store: Store, target: str = "container", task: int = 0) -> Record:
    name = record_name(JOB, target, task)
    return load(Record, store.read(name), name)


def names(store: Store, prefix: str) -> list[str]:
    return [info.name for info in store.list(prefix)]


def cancel(store: Store) -> None:
    store.create(cancelled_name(JOB), dump(Cancellation(cancelled_at=utc_now())), JSON_TYPE)


def only(store: Store, prefix: str, kind: Any) -> Any:
    found = names(store, prefix)
    assert len(found) == 1, found
    return load(kind, store.read(found[0]), found[0])


class Clock:
    """The watch's clock, moved on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        moved = SimpleNamespace(monotonic=lambda: time.monotonic() + self.ahead_s)
        monkeypatch.setattr("pipeline.watch.time", moved)


def test_done_leaves_images_and_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine)
    task = a_task(task_index=2, first_index=40, image_count=20)
    before = utc_now()
    result = process_task(task, a_delivery(attempt=4), runtime)
    assert (result.outcome, result.reason) == (Outcome.DONE, "recorded")
    assert engine.batches == [8, 8, 4]

    record = read_record(runtime.store, task=2)
    assert [entry.index for entry in record.images] == list(range(40, 60))
    assert [entry.seed for entry in record.images] == [image_seed(7, index) for index in range(40, 60)]
    assert (record.images_painted, record.images_found, record.image_count) == (20, 0, 20)
    assert (record.cold_start, record.prior_requests, record.preloaded) == (True, 0, False)
    assert (record.delivery_attempt, record.message_id) == (4, "m1")
    assert (record.engine, record.precision, record.isa) == ("quick", "fp32", "any")
    assert before <= record.received_at <= record.finished_at <= utc_now()
    assert record.instance_started_at < record.received_at
    assert record.rss_peak_bytes > 1_000_000
    assert record.process_s > 0
    assert min(record.generate_s, record.encode_s, record.store_s) > 0
    for entry in record.images:
        png = runtime.store.read(image_name(JOB, "container", entry.index))
        assert len(png) == entry.bytes
        assert pixel_sha256(decode(png)) == entry.pixel_sha256
        assert read_provenance(png).index == entry.index


def test_both_targets_paint_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = a_task()
    for target in ("container", "function"):
        runtime = a_runtime(tmp_path, monkeypatch, target=target, batch_size=1 + (target == "function"))
        assert process_task(task, a_delivery(target), runtime).outcome is Outcome.DONE
    one, other = read_record(runtime.store), read_record(runtime.store, "function")
    assert [entry.sha256 for entry in one.images] == [entry.sha256 for entry in other.images]


def test_second_task_is_warm_and_costs_no_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    process_task(a_task(), a_delivery(), runtime)
    process_task(a_task(task_index=1, first_index=3), a_delivery(), runtime)
    record = read_record(runtime.store, task=1)
    assert (record.cold_start, record.prior_requests, record.model_load_s) == (False, 1, 0.0)


def test_waiting_for_the_slot_is_not_process_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    process_task(a_task(), a_delivery(), runtime, arrived_s=time.monotonic() - 100)
    record = read_record(runtime.store)
    assert record.process_s < 50
    assert record.finished_at - record.received_at > timedelta(seconds=99)


def test_task_for_another_target_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    result = process_task(a_task(targets=("function",)), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.DONE, "not_addressed")
    assert names(runtime.store, "jobs/") == []


def test_cancelled_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine)
    cancel(runtime.store)
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.CANCELLED
    assert engine.batches == []


def test_cancelled_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=2)
    engine.before = lambda _seeds: cancel(runtime.store)
    assert process_task(a_task(image_count=6), a_delivery(), runtime).outcome is Outcome.CANCELLED
    assert engine.batches == [2]
    assert len(names(runtime.store, images_prefix(JOB, "container"))) == 2
    assert runtime.store.stat(record_name(JOB, "container", 0)) is None


def test_redelivery_of_a_recorded_task_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine)
    process_task(a_task(), a_delivery(), runtime)
    before = names(runtime.store, "jobs/")
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.DUPLICATE, "already_recorded")
    assert engine.batches == [3]
    assert names(runtime.store, "jobs/") == before


def test_deadline_gives_back_and_the_next_delivery_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, clock = QuickEngine(), Clock(monkeypatch)
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=2)

    def take_ten_minutes(_seeds: Sequence[int]) -> None:
        clock.ahead_s += 600

    engine.before = take_ten_minutes
    result = process_task(a_task(image_count=5), a_delivery(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "deadline", False)
    assert result.retry_after_s is not None
    assert len(names(runtime.store, images_prefix(JOB, "container"))) == 2
    assert runtime.store.stat(record_name(JOB, "container", 0)) is None

    clock.ahead_s, engine.before, engine.batches = 0.0, lambda _seeds: None, []
    assert process_task(a_task(image_count=5), a_delivery(), runtime).outcome is Outcome.DONE
    record = read_record(runtime.store)
    assert engine.batches == [2, 1]
    assert (record.images_painted, record.images_found) == (3, 2)
    assert [entry.found for entry in record.images] == [True, True, False, False, False]
    assert {entry.engine for entry in record.images if entry.found} == {"quick"}


def test_deadline_without_progress_counts_as_an_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.ahead_s = 10_000
    result = process_task(a_task(), a_delivery(), a_runtime(tmp_path, monkeypatch))
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "deadline", True)


def test_draining_gives_back_what_would_take_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=1, drain_s=0)
    engine.before = lambda _seeds: runtime.drain.start()
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "draining", False)
    assert engine.batches == [1]
    assert len(names(runtime.store, images_prefix(JOB, "container"))) == 1


def test_draining_finishes_what_is_nearly_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=1, drain_s=1000)
    engine.before = lambda _seeds: runtime.drain.start()
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.DONE


def test_draining_takes_no_new_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, drain_s=1000)
    runtime.drain.start()
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.RETRY, "draining")
    assert engine.batches == []


def test_record_of_another_delivery_makes_a_duplicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine)
    other = a_runtime(tmp_path, monkeypatch)

    def be_overtaken(_seeds: Sequence[int]) -> None:
        assert process_task(a_task(), a_delivery(), other).outcome is Outcome.DONE

    engine.before = be_overtaken
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.DUPLICATE, "committed_by_another_delivery")
    duplicate = only(runtime.store, "jobs/job-a/container/duplicates/", Duplicate)
    assert (duplicate.images_painted, duplicate.images_found) == (3, 3)
    assert duplicate.process_s > 0
    assert read_record(runtime.store).images_painted == 3


def test_ambiguous_write_of_the_own_record_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = open_store(tmp_path.as_uri())

    def write_yet_report_that_it_is_there(name: str, data: bytes) -> None:
        if "/records/" in name:
            inner.create(name, data, JSON_TYPE)
            raise ObjectExists(name)

    store = FaultyStore(inner, write_yet_report_that_it_is_there)
    runtime = a_runtime(tmp_path, monkeypatch, store=store)
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.DONE
    assert names(inner, "jobs/job-a/container/duplicates/") == []


def test_racing_deliveries_commit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtimes = [a_runtime(tmp_path, monkeypatch, batch_size=2) for _ in range(4)]
    start = threading.Barrier(len(runtimes))

    def deliver(runtime: Runtime) -> Outcome:
        start.wait()
        return process_task(a_task(image_count=10), a_delivery(), runtime).outcome

    with ThreadPoolExecutor(len(runtimes)) as pool:
        outcomes = list(pool.map(deliver, runtimes))
    assert sorted(outcomes) == [Outcome.DONE, *[Outcome.DUPLICATE] * 3]
    assert len(names(runtimes[0].store, images_prefix(JOB, "container"))) == 10


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
    # The store is back: what was painted is found, and nothing is lost.
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
    engine, stored, painted, ahead = QuickEngine(), [0], [0], []
    lock = threading.Lock()

    def store_one(name: str, _data: bytes) -> None:
        if "/images/" in name:
            with lock:
                stored[0] += 1

    def look(seeds: Sequence[int]) -> None:
        with lock:
            ahead.append(painted[0] - stored[0])
        painted[0] += len(seeds)

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
