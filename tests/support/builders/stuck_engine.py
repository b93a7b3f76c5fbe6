"""An engine that never comes back and holds the interpreter's lock meanwhile: no Python code can run."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class StuckEngine:
    """Generates for ever."""

    name = "stuck"
    version = "1"
    precision = "fp32"
    isa = "any"
    threads = 1
    resolution = 8

    def generate(self, seeds: Sequence[int], params: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Sleep inside a call that keeps the lock, as a badly written extension does."""
        ctypes.PyDLL(None).sleep(3600)
        raise AssertionError(f"{len(seeds)} images with {params}")


def make(*, precision: str, threads: int, options: Mapping[str, Any]) -> StuckEngine:
    """The engine, whatever is asked for."""
    assert precision
    assert threads
    assert not options
    return StuckEngine()
