"""Factories as a user would write them, good and bad. Tests copy this file into a module of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stripes:
    """Generates each seed's colour, brighter with the param `brightness`."""

    name = "stripes"
    version = "1"
    precision = "fp32"
    isa = "any"

    def __init__(self, threads: int, side: int) -> None:
        self.threads = threads
        self.resolution = side

    def generate(self, seeds: Sequence[int], params: Mapping[str, Any]) -> NDArray[np.uint8]:
        """One flat image per seed."""
        if params.get("fail"):
            raise KeyError("no such colour")
        if params.get("hungry"):
            raise MemoryError
        gain = int(params.get("brightness", 1))
        images = [np.full((self.resolution, self.resolution, 3), seed * gain % 256) for seed in seeds]
        kind = np.float32 if params.get("floats") else np.uint8
        return np.stack(images).astype(kind)


def good(*, precision: str, threads: int, options: Mapping[str, Any]) -> Stripes:
    """The engine; `side` is the operator's option."""
    assert precision in ("auto", "fp32")
    return Stripes(threads, options.get("side", 8))


def nameless(**_: Any) -> Stripes:
    """An engine that lacks what a record needs."""
    engine = Stripes(1, 8)
    engine.name = ""
    return engine


def odd_precision(**_: Any) -> Stripes:
    """An engine that runs in something the records do not know."""
    engine = Stripes(1, 8)
    engine.precision = "auto"
    return engine


def huge(**_: Any) -> Stripes:
    """An engine whose images nothing could hold."""
    return Stripes(1, 10**6)


def no_engine(**_: Any) -> dict[str, int]:
    """Not an engine at all."""
    return {"a": 1}


def broken(**_: Any) -> Stripes:
    """A factory with a mistake in it."""
    raise ZeroDivisionError("on purpose")


def fewer_arguments() -> Stripes:
    """A factory that takes no arguments."""
    return Stripes(1, 8)


constant = 3
