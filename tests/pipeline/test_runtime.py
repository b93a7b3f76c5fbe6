"""The parts a serving process holds: built once, per process; engines kept; the order to stop; the meter."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from diptych import __version__
from model.errors import CheckpointError, DigestError, UnknownModelError
from model.registry import ModelInfo
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.models.engine_cache import CAPACITY, EngineCache
from pipeline.worker.instance import cpu_model, this_instance
from pipeline.worker.metering import Meter
from pipeline.worker.runtime import LazyRuntime, Runtime
from pipeline.worker.shutdown import Shutdown
from results.errors import StoreError
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.waiting import wait_until


class CountingLoader:
    """Loads QuickEngines and notes which."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str, str, int]] = []

    def __call__(self, info: ModelInfo, *, engine: str, precision: str, threads: int) -> QuickEngine:
        self.loaded.append((info.name, engine, precision, threads))
        time.sleep(0.01)
        return QuickEngine(precision=precision)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_runtime_is_built_once_by_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Runtime] = []

    def build() -> Runtime:
        time.sleep(0.01)
        built.append(a_runtime(tmp_path, monkeypatch))
        return built[-1]

    lazy = LazyRuntime(build)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: lazy.get(), range(16)))
    assert len(built) == 1
    assert set(map(id, got)) == {id(built[0])}


def test_runtime_is_built_anew_after_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = LazyRuntime(lambda: a_runtime(tmp_path, monkeypatch))
    first = lazy.get()
    monkeypatch.setattr("pipeline.worker.runtime.os.getpid", lambda: os.getppid())
    second = lazy.get()
    assert second is not first
    assert lazy.get() is second


def test_runtime_needs_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIPTYCH_STORE_URL", raising=False)
    with pytest.raises(SettingsError, match="no store"):
        Runtime(Settings(store_url=""), "container")
    with pytest.raises(StoreError, match="bad store URL"):
        Runtime(Settings(store_url="ftp://x"), "container")


def test_prepare_loads_only_when_asked(tmp_path: Path, models: Path) -> None:
    save_tiny(models)
    for preload in (False, True):
        load = CountingLoader()
        settings = Settings(
            store_url=tmp_path.as_uri(), model_dir=models, default_model="tiny", preload=preload, threads=3
        )
        runtime = Runtime(settings, "container", load_engine=load)
        runtime.prepare()
        assert runtime.preloaded is preload
        assert load.loaded == ([("tiny", "openvino", "auto", 3)] if preload else [])


def test_prepare_survives_a_missing_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(store_url=tmp_path.as_uri(), default_model="nobody", preload=True)
    runtime = Runtime(settings, "container", load_engine=CountingLoader())
    runtime.prepare()
    assert not runtime.preloaded
    assert "cannot preload nobody" in caplog.text


def test_engines_are_kept_and_the_oldest_makes_room(models: Path) -> None:
    digests = {name: save_tiny(models, name=name) for name in ("a", "b", "c")}
    load = CountingLoader()
    cache = EngineCache(Settings(model_dir=models), load)
    first = cache.acquire("a", digests["a"], "auto", {})
    assert first.load_s > 0
    again = cache.acquire("a", digests["a"], "auto", {})
    assert again.engine is first.engine
    assert again.load_s == 0
    for name in ("b", "a", "c", "a"):
        cache.acquire(name, digests[name], "auto", {})
    assert CAPACITY == 2
    assert [name for name, *_ in load.loaded] == ["a", "b", "c"]
    cache.acquire("b", digests["b"], "auto", {})
    assert [name for name, *_ in load.loaded] == ["a", "b", "c", "b"]


def test_another_precision_is_another_engine(models: Path) -> None:
    digest = save_tiny(models)
    load = CountingLoader()
    cache = EngineCache(Settings(model_dir=models), load)
    engines = {
        cache.acquire("tiny", digest, "fp32", {}).engine.precision,
        cache.acquire("tiny", digest, "bf16", {}).engine.precision,
    }
    assert engines == {"fp32", "bf16"}


def test_racing_callers_load_once(models: Path) -> None:
    digest = save_tiny(models)
    load = CountingLoader()
    cache = EngineCache(Settings(model_dir=models), load)
    with ThreadPoolExecutor(4) as pool:
        loads = list(pool.map(lambda _: cache.acquire("tiny", digest, "auto", {}).load_s, range(8)))
    assert len(load.loaded) == 1
    assert sum(load_s > 0 for load_s in loads) == 1


def test_unknown_model_and_other_digest(models: Path) -> None:
    save_tiny(models)
    cache = EngineCache(Settings(model_dir=models), CountingLoader())
    with pytest.raises(UnknownModelError):
        cache.acquire("nobody", "sha256:" + "0" * 64, "auto", {})
    with pytest.raises(DigestError):
        cache.acquire("tiny", "sha256:" + "0" * 64, "auto", {})


def test_check_default_model(models: Path) -> None:
    save_tiny(models)
    cache = EngineCache(Settings(model_dir=models, default_model="tiny"), CountingLoader())
    cache.check_default_model()
    path = models / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        cache.check_default_model()


def test_requests_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    assert [runtime.count_request() for _ in range(3)] == [0, 1, 2]


def test_shutdown() -> None:
    shutdown = Shutdown(1000)
    assert (shutdown.started, shutdown.left_s) == (False, float("inf"))
    shutdown.start()
    left_s = shutdown.left_s
    assert 0 < left_s <= 1000
    shutdown.start()
    assert shutdown.left_s <= left_s
    over = Shutdown(0)
    over.start()
    assert over.left_s == 0


def test_meter_measures_cpu_rss_and_stages() -> None:
    with Meter() as meter:
        before = meter.rss_peak_bytes
        ballast = bytearray(os.urandom(1)) * 60_000_000
        wait_until(lambda: meter.rss_peak_bytes - before > 50_000_000, "the sampler to see the memory")
        del ballast
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        threads = [threading.Thread(target=meter.add, args=("store", 0.5)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        meter.count_image(found=False)
        meter.count_image(found=True, generated=False)
        work = meter.work()
    assert meter.stage_s("store") == 2.0
    assert meter.stage_s("encode") == 0.0
    assert work["cpu_user_s"] + work["cpu_system_s"] > 0.04
    assert work["process_s"] > 0
    assert (work["images_painted"], work["images_found"]) == (1, 1)
    assert meter.rss_peak_bytes > psutil.Process().memory_info().rss // 10


def test_meter_ends_with_an_error() -> None:
    with pytest.raises(ValueError, match="why"), Meter():
        raise ValueError("why")
    assert not [thread for thread in threading.enumerate() if thread.name == "rss-sampler"]


def test_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("K_REVISION", raising=False)
    one, other = this_instance(Settings()), this_instance(Settings())
    assert one.instance_id != other.instance_id
    assert str(os.getpid()) in one.instance_id
    assert one.started_at.timestamp() == pytest.approx(psutil.Process().create_time())
    assert one.revision == __version__
    monkeypatch.setenv("K_REVISION", "painter-00007")
    assert this_instance(Settings()).revision == "painter-00007"
    assert this_instance(Settings(revision="mine")).revision == "mine"

    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n")
    assert cpu_model(info) == "Some CPU @ 3 GHz"
    assert cpu_model(tmp_path / "absent")
