"""Loaded engines, kept from task to task, and whether the default model's checkpoint is sound."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from model.checkpoint import load_checkpoint
from model.engines.described import check_described
from model.errors import CheckpointError, DigestError, UnknownModelError
from model.families import Params, ParamValue, validate_params
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
        params: what to generate with, checked and in normal form.
        load_s: what loading cost this caller, a fetch included; 0 if it was there already.
    """

    engine: Engine
    info: ModelInfo
    params: Params
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
        self._kept: OrderedDict[tuple[str, str, Precision], tuple[Engine, ModelInfo]] = OrderedDict()
        self._sound_digest = ""

    def acquire(
        self, name: str, digest: str, precision: Precision, params: Mapping[str, ParamValue] | None
    ) -> Loaded:
        """Return the engine of a model, loading it if need be.

        The registry's own model comes first; one that it lacks may have been pushed to the store.

        Args:
            name: registered name.
            digest: "sha256:<hex>" that its checkpoint must have.
            precision: what the job asks for.
            params: what the job asks for, checked before anything is loaded; None: there is no job yet.
        Raises:
            ModelError: unknown model, another digest, bad params, a damaged checkpoint, no such engine here.
            CacheError, StoreError: a pushed model cannot be fetched now.
        """
        key = (name, digest, precision)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                engine, info = self._kept[key]
                return Loaded(engine, info, _checked(params, info), load_s=0.0)
            started_s = time.monotonic()
            loaded = self._load_engine(name, digest, precision, params)
            self._kept[key] = loaded.engine, loaded.info
            while len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
            # Only the caller that waited for it pays for the load.
            return replace(loaded, load_s=time.monotonic() - started_s)

    def preload(self) -> None:
        """Load the default model as a job that names no precision would. Raises ModelError."""
        name = self._settings.default_model
        self.acquire(name, self._registry().get(name).digest, "auto", None)

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
            return self._source.fetch(name, digest, error)

    def _load_engine(
        self, name: str, digest: str, precision: Precision, params: Mapping[str, ParamValue] | None
    ) -> Loaded:
        """Load; and again if the checkpoint was evicted or replaced between its look-up and its load."""
        for reloads_left in reversed(range(RELOADS + 1)):
            info = self._find(name, digest)
            checked = _checked(params, info)
            try:
                engine = self._loader()(
                    info, engine=self._settings.engine, precision=precision, threads=self._settings.threads
                )
            except (CheckpointError, DigestError) as error:
                moved_on = isinstance(error, DigestError) or not info.path.exists()
                # A descriptor whose files have changed stays wrong, and they may take minutes to hash.
                if not (reloads_left and info.is_checkpoint and moved_on):
                    raise
            else:
                return Loaded(engine, info, checked, load_s=0.0)
        raise AssertionError("the last try returns or raises")

    def _loader(self) -> EngineLoader:
        if self._load is None:
            # Imported here: the inference runtime must not load before the fork that serves.
            from model.engines.load import load_engine

            self._load = load_engine
        return self._load


def _checked(params: Mapping[str, ParamValue] | None, info: ModelInfo) -> Params:
    return {} if params is None else validate_params(info.family, params, info.takes)
