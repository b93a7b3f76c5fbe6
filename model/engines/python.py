"""A user's own engine: created by a registered factory, with its results validated."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from model.descriptor import MAX_RESOLUTION, MIN_RESOLUTION, Descriptor, OptionValue
from model.errors import EngineError, GenerationError, ModelError, describe
from model.hashing import hash_tree
from model.protocol import Engine, Params

MAX_NAME: Final = 64
PRECISIONS: Final = ("fp32", "bf16", "int8")


class PythonEngine:
    """Wraps a user's engine: validates what it returns and converts its exceptions to ours.

    Args:
        engine: the factory's result, validated by `check_engine`.
        source: "package.module:factory", for messages.
    """

    def __init__(self, engine: Engine, source: str) -> None:
        self.name = engine.name
        self.version = engine.version
        self.precision = engine.precision
        self.isa = engine.isa
        self.threads = engine.threads
        self.resolution = engine.resolution
        self._engine = engine
        self._source = source

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:
        """Generate one image per seed; see `model.protocol.Engine.generate`."""
        try:
            images = self._engine.generate(seeds, params)
        except (ModelError, MemoryError):
            raise
        except Exception as error:
            raise GenerationError(f"{self._source} failed: {describe(error)}") from error
        good = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4
        if not good or images.shape[0] != len(seeds) or images.shape[3] != 3:
            result = (
                f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
            )
            raise GenerationError(f"{self._source} returned {result}, not uint8 [{len(seeds)}, H, W, 3]")
        return images


def load_python(descriptor: Descriptor, *, precision: str, threads: int) -> PythonEngine:
    """Load a user's own engine from its descriptor.

    Raises:
        EngineError: the factory cannot be imported, fails, or does not return an Engine.
    """
    engine = make_engine(descriptor.source, descriptor.options, precision=precision, threads=threads)
    if engine.resolution != descriptor.resolution:
        raise EngineError(
            f"{descriptor.source} generates {engine.resolution} px, but was added with"
            f" {descriptor.resolution}"
        )
    return PythonEngine(engine, descriptor.source)


def make_engine(source: str, options: Mapping[str, OptionValue], *, precision: str, threads: int) -> Engine:
    """Import a factory and call it: factory(precision=…, threads=…, options={…}).

    Args:
        source: "package.module:factory".
        options: as given by the operator.
        precision: "auto", "fp32", "bf16" or "int8".
        threads: inference threads, at least 1.
    Raises:
        EngineError: it cannot be imported, fails, or does not return an Engine.
    """
    factory = _import(source)
    try:
        engine = factory(precision=precision, threads=threads, options=dict(options))
    except (ModelError, MemoryError):
        raise
    except Exception as error:
        raise EngineError(f"{source} failed: {describe(error)}") from error
    return check_engine(engine, source)


def check_engine(engine: Any, source: str) -> Engine:
    """Raise EngineError if an object is not a `model.protocol.Engine`, naming what is missing."""
    if not callable(getattr(engine, "generate", None)):
        raise EngineError(f"{source} returned {type(engine).__name__}, not an Engine: it has no generate()")
    for field in ("name", "version", "precision", "isa"):
        value = getattr(engine, field, None)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
            raise EngineError(
                f"{source} did not return an Engine: its {field} must be text of 1..{MAX_NAME} characters"
            )
    if engine.precision not in PRECISIONS:
        raise EngineError(f"{source}: the engine's precision must be one of {', '.join(PRECISIONS)}")
    for field, low, high in (("threads", 1, 4096), ("resolution", MIN_RESOLUTION, MAX_RESOLUTION)):
        value = getattr(engine, field, None)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise EngineError(
                f"{source} did not return an Engine: its {field} must be an integer in {low}..{high}"
            )
    return cast("Engine", engine)


def hash_module(source: str) -> dict[str, str]:
    """Compute the SHA-256 (hex) of a factory's source file, by file name, without importing the module.

    Args:
        source: "package.module:factory".
    Raises:
        EngineError: the module does not exist, or has no source file.
    """
    module = source.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        spec = None
    except Exception as error:
        raise EngineError(f"{source}: its package cannot be imported: {describe(error)}") from error
    if spec is None:
        raise EngineError(f"{source}: module {module} not found: install it, or add its folder to PYTHONPATH")
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise EngineError(f"{source}: {module} has no source file, so it cannot be pinned")
    return hash_tree(Path(spec.origin))


def _import(source: str) -> Callable[..., Any]:
    module, _, attribute = source.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:
        raise EngineError(f"{source} cannot be imported: {describe(error)}") from error
    if not callable(factory):
        raise EngineError(f"{source}: {module} has no factory {attribute}")
    return factory  # type: ignore[no-any-return]
