"""process_task over a real directory store: generating, repeated deliveries, deadlines, draining."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from model.seeds import image_seed
from pipeline.protocol.clock import utc_now
from pipeline.protocol.outcomes import Outcome
from pipeline.worker.process import process_task
from pipeline.worker.runtime import Runtime
from results.documents import JSON_TYPE, Duplicate
from results.errors import ObjectExists
from results.imaging.png import decode, pixel_sha256, read_provenance
from results.naming import image_name, images_prefix, manifest_name, record_name
from results.stores.open import open_store
from tests.support.builders.fakes import QuickEngine, a_delivery, a_runtime
from tests.support.builders.job_objects import JOB, cancel, names, only, read_record
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task


class Clock:
    """The watch's clock, moved on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        moved = SimpleNamespace(monotonic=lambda: time.monotonic() + self.ahead_s)
        monkeypatch.setattr("pipeline.worker.stop_conditions.time", moved)


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


def test_both_targets_generate_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    process_task(a_task(), a_delivery(), runtime, arrived_s=time.monotonic() - 400)
    record = read_record(runtime.store)
    assert record.process_s < 399
    assert record.finished_at - record.received_at > timedelta(seconds=399)


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


def test_a_job_that_is_removed_in_mid_job_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    runtime.store.create(manifest_name(JOB), b"{}", JSON_TYPE)
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.DONE
    for info in [*runtime.store.list("jobs/")]:
        runtime.store.delete(info.name)
    later = a_task(task_index=1, first_index=20)
    assert process_task(later, a_delivery(), runtime).outcome is Outcome.CANCELLED
    assert [*runtime.store.list("jobs/")] == [], "nothing is written for it"


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


def test_shutting_down_gives_back_what_would_take_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=1, drain_s=0)
    engine.before = lambda _seeds: runtime.shutdown.start()
    result = process_task(a_task(), a_delivery(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "draining", False)
    assert engine.batches == [1]
    assert len(names(runtime.store, images_prefix(JOB, "container"))) == 1


def test_shutting_down_finishes_what_is_nearly_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, batch_size=1, drain_s=1000)
    engine.before = lambda _seeds: runtime.shutdown.start()
    assert process_task(a_task(), a_delivery(), runtime).outcome is Outcome.DONE


def test_shutting_down_takes_no_new_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = QuickEngine()
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine, drain_s=1000)
    runtime.shutdown.start()
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
