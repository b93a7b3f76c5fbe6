"""Compiling a numeric kernel: numba's decorator, typed, its result kept on disk for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Compile a function of arrays and scalars to machine code at its first call.

    Floating point stays strict (no `fastmath`): a seed gives the same pixels in every process of a machine.
    """
    return cast(Kernel, njit(cache=True, error_model="numpy", nogil=True)(kernel))
