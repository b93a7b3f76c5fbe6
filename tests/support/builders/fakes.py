"""An engine that is quick, and a registry entry for it: where the engine is not what is tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.protocol import Params
from model.registry import ModelInfo
from pipeline.config.settings import Settings
from pipeline.models.engine_cache import EngineLoader
from pipeline.protocol.outcomes import Delivery
from pipeline.worker.runtime import Runtime
from results.documents import Target
from results.stores.base import Store
from results.stores.open import open_store
from tests.support.builders.tasks import DIGEST

RESOLUTION = 8


@dataclass
class QuickEngine:
    """Paints flat squares whose colour comes from the seed; `before` runs ahead of each batch."""

    name: str = "quick"
    version: str = "1"
    precision: str = "fp32"
    isa: str = "any"
    threads: int = 1
    resolution: int = RESOLUTION
    before: Callable[[Sequence[int]], None] = lambda _seeds: None
    batches: list[int] = field(default_factory=list)

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:  # noqa: ARG002
        """Paint one square per seed, [N, 8, 8, 3]."""
        self.before(seeds)
        self.batches.append(len(seeds))
        colours = np.array([[seed % 251, seed % 241, seed % 239] for seed in seeds], dtype=np.uint8)
        return np.broadcast_to(colours[:, None, None, :], (len(seeds), RESOLUTION, RESOLUTION, 3)).copy()


def quick_info(digest: str = DIGEST) -> ModelInfo:
    """The registry's entry for the model that `a_task` names."""
    return ModelInfo("tiny", "pgan", RESOLUTION, digest, Path("tiny.safetensors"), 1, "none", "none", 0.01)


def a_runtime(
    folder: Path,
    monkeypatch: Any,
    *,
    engine: QuickEngine | None = None,
    target: Target = "container",
    store: Store | None = None,
    load_error: ModelError | None = None,
    **settings: Any,
) -> Runtime:
    """A runtime over a directory store whose registry holds `tiny` alone, painted by a QuickEngine."""
    engine = engine or QuickEngine()

    def load(info: ModelInfo, *, engine: str, precision: str, threads: int) -> QuickEngine:  # noqa: ARG001
        if load_error:
            raise load_error
        return painted_by

    painted_by = engine
    loader: EngineLoader = load
    chosen = Settings(store_url=folder.as_uri(), **settings)
    runtime = Runtime(chosen, target, store=store or open_store(folder.as_uri()), load_engine=loader)
    monkeypatch.setattr(runtime.engines, "resolve", lambda _name, digest: quick_info(digest))
    return runtime


def a_delivery(target: Target = "container", attempt: int | None = 1) -> Delivery:
    """A fresh arrival."""
    return Delivery(target, "m1", None, attempt, None, Delivery.new_id())


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Poll until `condition()`; fail with `what` after the timeout."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.01)
