"""The interface of every model family and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.seeds import latents

Params = Mapping[str, str | int | float | bool | None]
Tensor = NDArray[np.float16] | NDArray[np.float32]
Weights = Mapping[str, Tensor]


class Engine(Protocol):
    """A loaded model, ready to generate. Not thread-safe: one generation slot owns it."""

    name: str
    """"openvino", "torch", …"""
    version: str
    precision: str
    """The precision it runs in: "fp32", "bf16" or "int8"; never "auto"."""
    isa: str
    """Instruction set, on which the pixels' last bits depend, e.g. "avx512_core_bf16"."""
    threads: int
    resolution: int

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:
        """Generate one image per seed.

        Args:
            seeds: one RNG seed per image, each in [0, 2**63) (see model.seeds.image_seed).
            params: the family's own parameters, already validated.
        Returns:
            uint8 images [N, H, W, 3], RGB, 0..255, the same for a seed whatever its neighbours.
        Raises:
            ModelError: the weights or params cannot be used.
        """
        ...


@runtime_checkable
class FlaggingEngine(Engine, Protocol):
    """An engine with a safety checker, which puts a black image in the place of what it flags."""

    flagged: frozenset[int]
    """Positions in the last batch, from 0, of the images that it flagged."""


@runtime_checkable
class LatentEngine(Engine, Protocol):
    """An engine that generates from latents, so that images can be interpolated."""

    latent_size: int

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:  # noqa: ARG002 (none)
        """Generate one image per seed; see `Engine.generate`."""
        return self.generate_from_latents(latents(seeds, self.latent_size))

    def generate_from_latents(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate one image per latent.

        Args:
            rows: float32 [N, latent_size].
        Returns:
            uint8 images [N, H, W, 3], RGB, the same for a latent whatever its neighbours.
        """
        ...
