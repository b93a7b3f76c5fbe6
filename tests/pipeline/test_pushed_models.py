"""Pushed models: a worker that has none generates them all the same, and trusts nothing but the digest."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.checkpoint import digest as hash_file
from model.engines.load import load_engine
from model.errors import DigestError, UnknownModelError
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from pipeline.models.engine_cache import CAPACITY, EngineCache
from pipeline.models.fetch import ModelSource
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.protocol.outcomes import Outcome, Result
from pipeline.worker.handler import handle_push
from pipeline.worker.runtime import Runtime
from results.documents import Failure, load
from results.errors import StoreError
from results.naming import image_name, model_name, record_name
from results.record import Record
from results.stores.base import Store
from tests.support.builders.checkpoints import pushed, save_tiny
from tests.support.builders.fakes import QuickEngine
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task


class ReadingStore(FaultyStore):
    """Notes how long each read took; fails one on order."""

    def __init__(self, inner: Store, error: StoreError | None = None) -> None:
        super().__init__(inner, lambda _name, _data: None)
        self.error = error
        self.reads_s: list[float] = []

    def read(self, name: str) -> bytes:
        if self.error:
            raise self.error
        started_s = time.monotonic()
        content = super().read(name)
        self.reads_s.append(time.monotonic() - started_s)
        return content


def a_worker(store: Store, cache: Path, **settings: Any) -> Runtime:
    """A worker with the shipped models alone, and the real engine."""
    chosen = {"model_dir": None, "cache_dir": cache, **settings}
    return Runtime(Settings(store_url=store.url, **chosen), "container", store=store)


def deliver(runtime: Runtime, **task: Any) -> Result:
    message = queued_message(a_task(**task), "m7", utc_now())
    return handle_push(push_body(message, "projects/local/subscriptions/container", 1), runtime)


def the_failure(store: Store) -> Failure:
    (info,) = store.list("jobs/job-a/container/failures/")
    return load(Failure, store.read(info.name), info.name)


def test_a_worker_without_the_model_generates_what_one_with_it_generates(
    store: Store, models: Path, tmp_path: Path
) -> None:
    digest = pushed(store, models)
    runtime = a_worker(store, tmp_path / "cache")
    assert deliver(runtime, model_digest=digest).outcome is Outcome.DONE
    owner = a_worker(store, tmp_path / "unused", model_dir=models)
    assert deliver(owner, model_digest=digest, job_id="job-b").outcome is Outcome.DONE
    for index in range(3):
        here, there = (store.read(image_name(job, "container", index)) for job in ("job-a", "job-b"))
        assert here == there
    assert not (tmp_path / "unused").exists()
    record = load(Record, store.read(record_name("job-a", "container", 0)), "record")
    assert (record.model, record.model_digest, record.engine) == ("tiny", digest, "openvino")


def test_a_model_is_fetched_once_by_a_machine(directory_store: Store, models: Path, tmp_path: Path) -> None:
    digest = pushed(directory_store, models)
    store = ReadingStore(directory_store)
    runtime = a_worker(store, tmp_path / "cache")
    for task in range(2):
        assert deliver(runtime, model_digest=digest, task_index=task, first_index=3 * task).outcome == "done"
    other_process = a_worker(store, tmp_path / "cache")
    assert deliver(other_process, model_digest=digest, job_id="job-b").outcome is Outcome.DONE
    assert len(store.reads_s) == 1


def test_the_name_only_names(directory_store: Store, models: Path, tmp_path: Path) -> None:
    digest = pushed(directory_store, models, name="their-name")
    runtime = a_worker(directory_store, tmp_path / "cache")
    assert deliver(runtime, model="our-name", model_digest=digest).outcome is Outcome.DONE


def test_a_model_retrained_under_its_old_name_is_fetched_by_its_digest(
    directory_store: Store, models: Path, tmp_path: Path
) -> None:
    digest = pushed(directory_store, models, width=12)
    old = tmp_path / "old"
    assert save_tiny(old) != digest
    runtime = a_worker(directory_store, tmp_path / "cache", model_dir=old)
    assert deliver(runtime, model_digest=digest).outcome is Outcome.DONE


def test_a_model_that_is_replaced_while_a_worker_runs_is_fetched(
    directory_store: Store, models: Path, tmp_path: Path
) -> None:
    digest = pushed(directory_store, models)
    here = tmp_path / "here"
    shutil.copytree(models, here)
    runtime = a_worker(directory_store, tmp_path / "cache", model_dir=here)
    assert runtime.engines.acquire("tiny", digest, "fp32", {}).info.path.parent == here
    save_tiny(here, width=12)
    assert deliver(runtime, model_digest=digest).outcome is Outcome.DONE


def test_a_tampered_object_is_refused_and_recorded(store: Store, models: Path, tmp_path: Path) -> None:
    digest = save_tiny(models)
    content = bytearray((models / "tiny.safetensors").read_bytes())
    content[-1] ^= 1
    store.create(model_name(digest), bytes(content), "application/octet-stream")
    result = deliver(a_worker(store, tmp_path / "cache"), model_digest=digest)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "bad_checkpoint")
    failure = the_failure(store)
    assert failure.error == "bad_checkpoint"
    assert "is not what its name says" in failure.detail
    assert not list((tmp_path / "cache").glob("*.safetensors"))


def test_what_is_no_checkpoint_is_refused_though_its_hash_is_right(
    directory_store: Store, tmp_path: Path
) -> None:
    other = tmp_path / "pickle"
    other.write_bytes(b"\x80\x04" + b"\0" * 100)
    digest = hash_file(other)
    directory_store.create(model_name(digest), other.read_bytes(), "application/octet-stream")
    result = deliver(a_worker(directory_store, tmp_path / "cache"), model_digest=digest)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "bad_checkpoint")
    assert "pickled" in result.detail


def test_what_was_never_pushed_fails_as_before_and_says_how_to_push(
    store: Store, models: Path, tmp_path: Path
) -> None:
    digest = save_tiny(models, width=12)
    result = deliver(a_worker(store, tmp_path / "cache"), model_digest=digest)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "unknown_model")
    assert "`diptych model push tiny`" in the_failure(store).detail
    old = tmp_path / "old"
    save_tiny(old)
    result = deliver(a_worker(store, tmp_path / "cache", model_dir=old), model_digest=digest, job_id="job-b")
    assert (result.outcome, result.reason) == (Outcome.FAILED, "model_digest_mismatch")
    today = Registry(old).get("tiny").digest
    assert f"tiny here is {today[:19]}, but the job needs {digest[:19]}" in result.detail
    assert "`diptych submit --like JOB`" in result.detail
    assert "model push" not in result.detail


@pytest.mark.parametrize(("transient", "reason"), [(True, "store_unavailable"), (False, "store_refused")])
def test_trouble_with_the_store_gives_the_task_back(
    directory_store: Store, models: Path, tmp_path: Path, transient: bool, reason: str
) -> None:
    digest = pushed(directory_store, models)
    store = ReadingStore(directory_store, StoreError("away", transient=transient))
    runtime = a_worker(store, tmp_path / "cache")
    result = deliver(runtime, model_digest=digest)
    assert (result.outcome, result.reason) == (Outcome.RETRY, reason)
    assert list(directory_store.list("jobs/")) == []
    store.error = None
    assert deliver(runtime, model_digest=digest).outcome is Outcome.DONE


def test_a_model_larger_than_the_cache_is_refused_unread(
    directory_store: Store, models: Path, tmp_path: Path
) -> None:
    digest = pushed(directory_store, models)
    store = ReadingStore(directory_store)
    result = deliver(a_worker(store, tmp_path / "cache", cache_bytes=1000), model_digest=digest)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "bad_checkpoint")
    assert "DIPTYCH_CACHE_BYTES" in result.detail
    assert store.reads_s == []


def test_a_checkpoint_that_was_evicted_meanwhile_is_fetched_again(
    directory_store: Store, models: Path, tmp_path: Path
) -> None:
    names = [f"m{number}" for number in range(CAPACITY + 1)]
    digests = {
        name: pushed(directory_store, models, name=name, width=8 + number)
        for number, name in enumerate(names)
    }
    store = ReadingStore(directory_store)
    engines = a_worker(store, tmp_path / "cache").engines
    for name in names:
        engines.acquire(name, digests[name], "fp32", {})
    shutil.rmtree(tmp_path / "cache")
    # Its engine is gone too.
    assert engines.acquire(names[0], digests[names[0]], "fp32", {}).load_s > 0
    assert len(store.reads_s) == len(names) + 1


def test_a_descriptor_whose_files_have_changed_is_loaded_once(models: Path) -> None:
    digest = save_tiny(models)
    loads: list[str] = []

    def refuse(info: ModelInfo, *, engine: str, precision: str, threads: int) -> QuickEngine:  # noqa: ARG001
        loads.append(info.name)
        raise DigestError("a file has changed")

    class Described(EngineCache):
        def _find(self, name: str, digest: str) -> ModelInfo:
            return replace(super()._find(name, digest), family="onnx", path=models / "tiny.model.json")

    with pytest.raises(DigestError, match="has changed"):
        Described(Settings(model_dir=models), refuse).acquire("tiny", digest, "auto", {})
    assert loads == ["tiny"]


def test_the_fetch_counts_as_loading(directory_store: Store, models: Path, tmp_path: Path) -> None:
    digest = pushed(directory_store, models)
    store = ReadingStore(directory_store)
    settings = Settings(store_url=store.url, model_dir=None, cache_dir=tmp_path / "cache")
    cache = EngineCache(settings, lambda info, **_: QuickEngine(), ModelSource(store, settings))  # noqa: ARG005
    assert cache.acquire("tiny", digest, "auto", {}).load_s >= store.reads_s[0]
    assert cache.acquire("tiny", digest, "auto", {}).load_s == 0
    # With the checkpoint at hand, another engine of it costs no fetch again.
    cache.acquire("tiny", digest, "fp32", {})
    assert len(store.reads_s) == 1


def test_without_a_source_nothing_is_fetched(models: Path) -> None:
    with pytest.raises(UnknownModelError):
        EngineCache(Settings(model_dir=models)).acquire("tiny", "sha256:" + "0" * 64, "auto", {})


def test_a_fetched_model_is_as_registered(directory_store: Store, models: Path, tmp_path: Path) -> None:
    digest = pushed(directory_store, models)
    settings = Settings(store_url=directory_store.url, cache_dir=tmp_path / "cache")
    fetched = ModelSource(directory_store, settings).fetch("other", digest, UnknownModelError("no"))
    registered = Registry(models).get("tiny")
    assert (fetched.name, fetched.digest) == ("other", digest)
    assert (fetched.family, fetched.resolution) == (registered.family, registered.resolution)
    assert load_engine(fetched, engine="openvino", precision="fp32", threads=1).resolution == 16
