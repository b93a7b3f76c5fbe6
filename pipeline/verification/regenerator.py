"""Generating pictures again: the model by its digest, in the engine and precision of then, or near them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError, DigestError, EngineError, ModelError, UnknownModelError
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from pipeline.models.engine_cache import EngineCache, EngineLoader, Loaded
from pipeline.models.fetch import ModelSource
from results.documents import Precision
from results.imaging.provenance import Provenance
from results.stores.base import Store

EngineName = Literal["openvino", "torch"]

_PRECISIONS: Final[Mapping[str, Precision]] = {"fp32": "fp32", "bf16": "bf16", "int8": "int8"}


@dataclass(frozen=True, slots=True)
class Regenerated:
    """Pictures that were generated now, and by what.

    Args:
        images: uint8 [N, H, W, 3].
    """

    images: NDArray[np.uint8]
    engine: str
    version: str
    precision: str
    isa: str


class Regenerator:
    """Generates what a PNG's provenance tells of.

    Args:
        settings: threads, model folder, cache.
        store: where pushed checkpoints may be; None: only the registry's are known.
        load: loads an engine; by default the real one.
    """

    def __init__(self, settings: Settings, store: Store | None, load: EngineLoader | None = None) -> None:
        self._settings = settings
        self._source = ModelSource(store, settings) if store else None
        self._load = load
        self._caches: dict[EngineName, EngineCache] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._unknown: dict[str, ModelError] = {}

    def generate(self, origin: Provenance, seeds: Sequence[int]) -> Regenerated:
        """Generate one image per seed.

        Args:
            origin: model, params, engine and precision of all of them.
            seeds: one RNG seed per image.
        Raises:
            ModelError: the model is not to be had, or cannot be run here.
            CacheError, StoreError: a pushed model cannot be fetched now.
        """
        if origin.model_digest in self._unknown:
            raise self._unknown[origin.model_digest]
        try:
            loaded = self._loaded(origin)
        except (UnknownModelError, DigestError, CheckpointError) as error:
            # A job's next 100,000 images need not look for it again.
            self._unknown[origin.model_digest] = error
            raise
        engine = loaded.engine
        images = engine.generate(seeds, loaded.params)
        return Regenerated(images, engine.name, engine.version, engine.precision, engine.isa)

    def _loaded(self, origin: Provenance) -> Loaded:
        """The same engine in the same precision; failing that, what this machine does have."""
        first: EngineName = "torch" if origin.engine == "torch" else "openvino"
        wishes: list[tuple[EngineName, Precision]] = [
            (first, "auto"),
            ("openvino", "auto"),
            ("openvino", "fp32"),
        ]
        if origin.precision in _PRECISIONS:
            wishes.insert(0, (first, _PRECISIONS[origin.precision]))
        trouble: EngineError | None = None
        for engine, precision in wishes:
            cache = self._cache(engine)
            try:
                return cache.acquire(self._name(origin), origin.model_digest, precision, origin.params)
            except EngineError as error:
                trouble = trouble or error
        raise trouble or EngineError("no engine")

    def _name(self, origin: Provenance) -> str:
        """The name under which that digest is registered here: names may differ, the digest decides."""
        key = (origin.model, origin.model_digest)
        if key not in self._names:
            self._names[key] = self._registered(origin) or origin.model
        return self._names[key]

    def _registered(self, origin: Provenance) -> str | None:
        registry = Registry(self._settings.model_dir)
        for name in sorted(registry.names(), key=lambda name: name != origin.model):
            info = _describe(registry, name)
            if info and info.digest == origin.model_digest:
                return name
        return None

    def _cache(self, engine: EngineName) -> EngineCache:
        if engine not in self._caches:
            settings = self._settings.model_copy(update={"engine": engine})
            self._caches[engine] = EngineCache(settings, self._load, self._source)
        return self._caches[engine]


def _describe(registry: Registry, name: str) -> ModelInfo | None:
    """Another model that is damaged is no reason not to look further."""
    try:
        return registry.get(name)
    except ModelError:
        return None
