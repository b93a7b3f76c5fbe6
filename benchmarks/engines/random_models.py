"""Generators of the sizes that people run, with random weights, measured and kept for the benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import save_checkpoint
from model.config import GeneratorConfig
from model.engines.measure_precision import measure_precision_gate
from model.registry import ModelInfo, Registry

CHANNELS: Final = {
    64: (64, 64, 48, 32, 16),
    128: (512, 512, 512, 512, 256, 128),
    256: (512, 512, 512, 512, 256, 128, 64),
    512: (512, 512, 512, 512, 256, 128, 64, 32),
}
"""64: our own small one. The others: the published checkpoints' (see model.adding.zoo)."""
LATENT_SIZES: Final = {64: 128, 128: 512, 256: 512, 512: 512}


def random_model(folder: Path, resolution: int, seeds: int, report: Callable[[str], None]) -> ModelInfo:
    """Return a model of that size, made and measured at the first call.

    Args:
        folder: where models are kept.
        resolution: a key of CHANNELS.
        seeds: images that its quality gate compares.
        report: told what takes long.
    """
    name = f"random-{resolution}"
    registry = Registry(folder, calibrations=folder / "no-calibration.json")
    if name not in registry.names():
        report(f"making {name} and measuring its precisions over {seeds} images (once)")
        config = GeneratorConfig(
            name=name,
            resolution=resolution,
            latent_size=LATENT_SIZES[resolution],
            channels=CHANNELS[resolution],
            training_data="none: random weights",
        )
        weights = random_weights(config)
        gate = measure_precision_gate(weights, config, seeds=seeds, report=report)
        save_checkpoint(folder / f"{name}.safetensors", weights, config.model_copy(update={"gate": gate}))
    return registry.get(name)


def random_weights(config: GeneratorConfig, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """He's initialisation, biases off zero, and a to_rgb that fills 0..255 without much clipping."""
    stream = np.random.RandomState(seed)
    weights = {}
    for name, shape in config.tensor_shapes().items():
        if name.endswith("bias"):
            scale = 0.1
        else:
            scale = (0.4 if name.startswith("to_rgb") else math.sqrt(2)) / math.sqrt(math.prod(shape[1:]))
        weights[name] = (stream.standard_normal(shape) * scale).astype(np.float32)
    return weights


def giga_macs(config: GeneratorConfig, *, fused: bool) -> float:
    """Multiply-adds of the convolutions of one image, in 10^9.

    Args:
        config: the generator's config.
        fused: as our engines run, upsampling fused into the convolution that follows it.
    """
    total = 0
    for name, shape in config.tensor_shapes().items():
        if name.endswith("weight") and not name.startswith("input"):
            level = len(config.channels) - 1 if name.startswith("to_rgb") else int(name.split(".")[1])
            taps = 4 if fused and "conv0" in name else math.prod(shape[2:])
            total += shape[0] * shape[1] * taps * (4 << level) ** 2
    return total / 1e9
