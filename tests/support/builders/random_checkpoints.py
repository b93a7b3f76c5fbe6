"""Checkpoints with random weights that generate images with contrast, for tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engines.random_models import random_weights
from model.checkpoint import save_checkpoint
from model.config import GeneratorConfig


def save_random(
    path: Path, *, resolution: int = 32, channels: tuple[int, ...] = (24, 16, 12, 8), seed: int = 0
) -> str:
    """Save a small random generator under the file's name; return its digest."""
    config = GeneratorConfig(
        name=path.stem, resolution=resolution, latent_size=40, channels=channels, seconds_per_image=0.5
    )
    return save_checkpoint(path, random_weights(config, seed), config)
