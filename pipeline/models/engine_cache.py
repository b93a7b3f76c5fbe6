"""Loaded engines, kept from task to task, and whether the default model's checkpoint is sound."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Protocol

from model.checkpoint import load_checkpoint
from model.engines.described import check_described
from model.errors import CheckpointError, DigestError, UnknownModelError
from model.protocol import Engine
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from pipeline.models.fetch import ModelSource
from results.documents import Precision

CAPACITY: Final = 2
"""Engines kept: a worker serves one model, or changes from one to the next; each holds its weights."""
RELOADS: Final = 2
"""Another process may evict a fetched checkpoint just before it is loaded; so often in a row, hardly."""


class EngineLoader(Protocol):
    """`model.engines.load.load_engine`, or a stand-in for it in tests."""

    def __call__(self, info: ModelInfo, *, engine: str, precision: str, threads: int) -> Engine:
        """Load a model's engine."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine ready to generate.

    Args:
        engine: the engine.
        info: the model it runs.
        load_s: what loading cost this caller; 0 if it was there already.
    """

    engine: Engine
    info: ModelInfo
    load_s: float


class EngineCache:
    """The least recently used engine makes room for the next. One load at a time.

    Args:
        settings: which engine, how many threads, where the models are.
        load: loads an engine; by default the real one, imported at the first use.
        source: where models come from that the registry lacks; None: from nowhere.
    """

    def __init__(
        self, settings: Settings, load: EngineLoader | None = None, source: ModelSource | None = None
    ) -> None:
        self._settings = settings
        self._load = load
        self._source = source
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[str, str, Precision], Loaded] = OrderedDict()
        self._resolved: dict[tuple[str, str], ModelInfo] = {}
        self._fetch_s: dict[tuple[str, str], float] = {}
        self._sound_digest = ""

    def resolve(self, name: str, digest: str) -> ModelInfo:
        """Return what is known of a model; its checkpoint is read once, not at every task.

        The registry's own comes first; one that it lacks may have been pushed to the store.

        Args:
            name: registered name.
            digest: "sha256:<hex>" that its checkpoint must have.
        Raises:
            ModelError: unknown model, another digest, a damaged header.
            CacheError, StoreError: a pushed model cannot be fetched now.
        """
        if (name, digest) not in self._resolved:
            self._resolved[name, digest] = self._find(name, digest)
        return self._resolved[name, digest]

    def get(self, name: str, digest: str, precision: Precision) -> Loaded:
        """Return the engine of a model, loading it if need be.

        Args:
            name: registered name.
            digest: "sha256:<hex>" that its checkpoint must have.
            precision: what the job asks for.
        Raises:
            ModelError: unknown model, another digest, a damaged checkpoint, an engine not installed.
            CacheError, StoreError: a pushed model cannot be fetched now.
        """
        key = (name, digest, precision)
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
                return self._loaded[key]
            # A fetch by `resolve` just before is part of what loading costs.
            fetch_s = self._fetch_s.pop((name, digest), 0.0)
            started_s = time.monotonic()
            # Kept with a load time of 0: only the caller that waited for it pays for the load.
            self._loaded[key] = loaded = self._load_engine(name, digest, precision)
            self._fetch_s.pop((name, digest), None)
            while len(self._loaded) > CAPACITY:
                self._loaded.popitem(last=False)
            return replace(loaded, load_s=time.monotonic() - started_s + fetch_s)

    def preload(self) -> None:
        """Load the default model as a job that names no precision would. Raises ModelError."""
        name = self._settings.default_model
        self.get(name, self._registry().get(name).digest, "auto")

    def check_default_model(self) -> None:
        """Check that the default model's checkpoint is present and sound; a sound one is read once.

        Raises:
            ModelError: it is not; the text says what is wrong.
        """
        info = self._registry().get(self._settings.default_model)
        if info.digest != self._sound_digest:
            if info.family == "pgan":
                load_checkpoint(info.path)
            else:
                check_described(info)
            self._sound_digest = info.digest

    def _registry(self) -> Registry:
        return Registry(self._settings.model_dir)

    def _find(self, name: str, digest: str) -> ModelInfo:
        try:
            return self._registry().resolve(name, digest)
        except (UnknownModelError, DigestError) as error:
            if self._source is None:
                raise
            started_s = time.monotonic()
            info = self._source.fetch(name, digest, error)
            self._fetch_s[name, digest] = time.monotonic() - started_s
            return info

    def _load_engine(self, name: str, digest: str, precision: Precision) -> Loaded:
        """Load once; and again if the checkpoint was evicted or replaced between its look-up and its load."""
        for _ in range(RELOADS):
            info = self.resolve(name, digest)
            try:
                return self._load_once(info, precision)
            except (CheckpointError, DigestError) as error:
                # What was known of it holds no longer.
                self._resolved.pop((name, digest), None)
                moved_on = isinstance(error, DigestError) or not info.path.exists()
                # A descriptor whose files have changed stays wrong, and they may take minutes to hash.
                if not (info.is_checkpoint and moved_on):
                    raise
        return self._load_once(self.resolve(name, digest), precision)

    def _load_once(self, info: ModelInfo, precision: Precision) -> Loaded:
        engine = self._loader()(
            info, engine=self._settings.engine, precision=precision, threads=self._settings.threads
        )
        return Loaded(engine, info, 0.0)

    def _loader(self) -> EngineLoader:
        if self._load is None:
            # Imported here: the inference runtime must not load before the fork that serves.
            from model.engines.load import load_engine

            self._load = load_engine
        return self._load
