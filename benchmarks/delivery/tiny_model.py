"""A generator so small that generating costs nothing: what is left to measure is the way to it and back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from model.checkpoint import save_checkpoint
from model.config import GeneratorConfig

NAME: Final = "tiny-8"


def write_tiny_model(folder: Path) -> str:
    """Write a checkpoint of random weights, 8 by 8 pixels; the same bytes every time.

    Args:
        folder: a model folder (DIPTYCH_MODEL_DIR); it is made.
    Returns:
        Its registered name.
    """
    config = GeneratorConfig(
        name=NAME,
        resolution=8,
        latent_size=8,
        channels=(8, 8),
        training_data="none: random weights",
        seconds_per_image=0.001,
    )
    stream = np.random.RandomState(8)
    tensors = {
        name: stream.standard_normal(shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }
    save_checkpoint(folder / f"{NAME}.safetensors", tensors, config)
    return NAME
