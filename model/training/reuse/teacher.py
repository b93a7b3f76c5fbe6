"""A finished generator of a higher resolution that a run's generator learns from, beside the discriminator.

Distances to what the teacher generates for the same latents, in pixels, in fine lines (about the first band
of a Laplacian pyramid, arXiv:1707.05776) and in what the discriminator's layers see of them (feature
matching, arXiv:1711.11585), keep a small generator near good images, also while its discriminator is still
new; the adversarial loss brings the sharpness that a mean distance alone would blur (as in arXiv:2003.08936,
with the teacher's images halved to the run's resolution).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from model.training.blur import blurred
from model.training.config import TrainingConfig
from model.training.errors import TrainingError
from model.training.reuse.finished import load_generator
from model.training.reuse.lower import halved


class Teacher:
    """Generates what a run's generator should come near to.

    Args:
        path: a checkpoint with the run's latent size and at least its resolution.
        config: the run's.
    Raises:
        CheckpointError: the checkpoint cannot be read.
        TrainingError: its latents, its resolution or its constants do not fit.
    """

    def __init__(self, path: Path, config: TrainingConfig) -> None:
        self._generator, found = load_generator(path)
        if found.latent_size != config.latent_size or found.resolution < config.resolution:
            raise TrainingError(
                f"{path}: makes {found.resolution} px from {found.latent_size} latents; a teacher of this "
                f"run must have {config.latent_size} latents and {config.resolution} px or more"
            )
        self._level = len(found.channels) - 1
        self._generator.requires_grad_(False).eval()
        if config.compile:
            self._generator.compile_activation()

    def to(self, device: torch.device) -> Teacher:
        """Generate there from now on."""
        self._generator.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def generate(self, latents: Tensor, level: int) -> Tensor:
        """Its images, halved to a level's resolution.

        Args:
            latents: [N, latent_size].
            level: 0 for 4x4, 1 for 8x8, …
        Returns:
            float32 [N, 3, 4 << level, 4 << level] in -1..1.
        """
        images = self._generator(latents, self._level).float().clamp(-1, 1)
        return halved(images, self._level - level)


def feature_distance(images: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How far apart a discriminator sees two batches: L1 as a part of the wanted maps' mean size.

    Args:
        images: [N, C, H, W] of each layer.
        wanted: the same layers' for the other batch.
    Returns:
        A scalar, the mean over the layers.
    """
    parts = [
        F.l1_loss(ours.float(), theirs.float()) / theirs.float().abs().mean()
        for ours, theirs in zip(images, wanted, strict=True)
    ]
    return torch.stack(parts).mean()


def detail_distance(images: Tensor, wanted: Tensor) -> Tensor:
    """How far apart two batches are in what a slight blur takes away: L1 as a part of the wanted's mean size.

    Args:
        images: float32 [N, 3, R, R], R at least 2.
        wanted: the same of the other batch.
    Returns:
        A scalar.
    """
    theirs = _details(wanted)
    return F.l1_loss(_details(images), theirs) / theirs.abs().mean().clamp_min(1e-6)


def _details(images: Tensor) -> Tensor:
    return images - blurred(images, (1.0, 2.0, 1.0))
