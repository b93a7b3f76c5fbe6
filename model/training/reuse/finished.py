"""A checkpoint's generator as a torch network, to begin a run with or to learn from."""

from __future__ import annotations

from pathlib import Path

import torch

from model.checkpoint import load_checkpoint
from model.config import GeneratorConfig
from model.networks import LEAKY_SLOPE, PIXEL_NORM_EPS, Generator
from model.training.errors import TrainingError


def load_generator(path: Path) -> tuple[Generator, GeneratorConfig]:
    """Read a checkpoint.

    Returns:
        The generator, which generates at its last level; and the checkpoint's config.
    Raises:
        CheckpointError: it cannot be read, or it is damaged.
        TrainingError: it was made with other constants than the networks that train here.
    """
    arrays, config = load_checkpoint(path)
    if (config.leaky_slope, config.pixel_norm_eps) != (LEAKY_SLOPE, PIXEL_NORM_EPS):
        raise TrainingError(
            f"{path}: has leaky_slope {config.leaky_slope:g} and pixel_norm_eps {config.pixel_norm_eps:g}; "
            f"training knows {LEAKY_SLOPE:g} and {PIXEL_NORM_EPS:g} alone"
        )
    generator = Generator(config.channels, config.latent_size, torch.Generator())
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    generator.load_serving_tensors(tensors, len(config.channels) - 1)
    return generator, config
