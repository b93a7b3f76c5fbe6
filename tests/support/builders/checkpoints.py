"""Tiny checkpoints with random weights: the real engine generates noise with them, and quickly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.checkpoint import save_checkpoint
from model.config import GeneratorConfig
from model.registry import Registry
from pipeline.models.push import push_model
from results.stores.base import Store


def save_tiny(folder: Path, *, name: str = "tiny", resolution: int = 16, width: int = 8) -> str:
    """Save a random generator as `<folder>/<name>.safetensors` and return its digest.

    Args:
        folder: a worker's model_dir.
        name: registered name.
        resolution: pixels a side, a power of two from 4.
        width: feature maps at each level; more is slower.
    """
    levels = resolution.bit_length() - 2
    config = GeneratorConfig(
        name=name, resolution=resolution, latent_size=16, channels=(width,) * levels, seconds_per_image=0.01
    )
    stream = np.random.RandomState(3)
    tensors = {
        tensor: stream.standard_normal(shape).astype(np.float32) * 0.1
        for tensor, shape in config.tensor_shapes().items()
    }
    return save_checkpoint(folder / f"{name}.safetensors", tensors, config)


def pushed(store: Store, models: Path, name: str = "tiny", **shape: int) -> str:
    """Save a tiny checkpoint in `models`, push it into the store and return its digest."""
    digest = save_tiny(models, name=name, **shape)
    assert push_model(store, Registry(models).get(name)) > 0
    return digest
