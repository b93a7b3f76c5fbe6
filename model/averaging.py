"""The mean of several checkpoints of one run (Izmailov et al. 2018, arXiv:1803.05407)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkpoint import load_checkpoint
from model.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.config import GeneratorConfig


def average_checkpoints(paths: Sequence[Path]) -> tuple[dict[str, NDArray[np.float32]], GeneratorConfig]:
    """Average the weights of checkpoints, all equally weighted.

    Args:
        paths: two or more checkpoints of one architecture.
    Returns:
        float32 tensors, and the config of the last one without its precision gate, which no longer holds.
    Raises:
        CheckpointError: one cannot be read, or its architecture differs from the first.
    """
    total, first = load_checkpoint(paths[0])
    config = first
    for path in paths[1:]:
        tensors, config = load_checkpoint(path)
        if _architecture(config) != _architecture(first):
            raise CheckpointError(
                f"{path.name}: its architecture differs from {paths[0].name}: they cannot be averaged"
            )
        for name, tensor in tensors.items():
            total[name] += tensor
    for tensor in total.values():
        tensor /= len(paths)
    return total, config.model_copy(update={"gate": None})


def _architecture(config: GeneratorConfig) -> tuple[object, ...]:
    return config.tensor_shapes(), config.leaky_slope, config.pixel_norm_eps
