"""Checkpoints with random weights that paint images with contrast, for tests."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import save_checkpoint
from model.config import GeneratorConfig


def random_weights(config: GeneratorConfig, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights with He's variance, and biases that are not zero, so that a lost one shows."""
    stream = np.random.RandomState(seed)
    weights = {}
    for name, shape in config.tensor_shapes().items():
        if name.endswith("bias"):
            scale = 0.1
        else:
            scale = (0.4 if name.startswith("to_rgb") else math.sqrt(2)) / math.sqrt(math.prod(shape[1:]))
        weights[name] = (stream.standard_normal(shape) * scale).astype(np.float32)
    return weights


def save_random(
    path: Path, *, resolution: int = 32, channels: tuple[int, ...] = (24, 16, 12, 8), seed: int = 0
) -> str:
    """Save a small random generator under the file's name; return its digest."""
    config = GeneratorConfig(
        name=path.stem, resolution=resolution, latent_size=40, channels=channels, seconds_per_image=0.5
    )
    return save_checkpoint(path, random_weights(config, seed), config)
