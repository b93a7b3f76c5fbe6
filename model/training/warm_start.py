"""Begin a run with the generator of a finished checkpoint: to train it on, or to grow it by a level."""

from __future__ import annotations

from pathlib import Path

import torch

from model.checkpoint import load_checkpoint
from model.errors import CheckpointError
from model.training.errors import TrainingError
from model.training.trainer import Trainer

DISCRIMINATOR_ALONE = 8_000
"""Images for the new discriminator alone: one that knows nothing yet would spoil the generator."""


def warm_start(trainer: Trainer, checkpoint: Path) -> None:
    """Take a checkpoint's weights over, and go on in the schedule where its resolution is fully faded in.

    Checkpoints hold no discriminator: that one starts anew, alone for `DISCRIMINATOR_ALONE` images.

    Args:
        trainer: a new run.
        checkpoint: its channels must be the first ones of the run's, its latent size the same.
    Raises:
        CheckpointError: it cannot be read, or it is damaged.
        TrainingError: it is of another architecture.
    """
    arrays, config = load_checkpoint(checkpoint)
    run = trainer.config
    if run.channels[: len(config.channels)] != config.channels or run.latent_size != config.latent_size:
        raise TrainingError(
            f"{checkpoint}: has channels {list(config.channels)} and latent size {config.latent_size}; "
            f"the run's {list(run.channels)} and {run.latent_size} do not begin so"
        )
    level = len(config.channels) - 1
    for generator in (trainer.generator, trainer.average):
        try:
            generator.load_serving_tensors({name: torch.from_numpy(a) for name, a in arrays.items()}, level)
        except KeyError as error:
            raise CheckpointError(f"{checkpoint}: no tensor {error}: not a Progressive GAN's") from None
    ready = sum(phase.fade_kimg + phase.stable_kimg for phase in run.phases[:level])
    ready += run.phases[level].fade_kimg
    end = ready + run.phases[level].stable_kimg
    trainer.images = round(min(max(ready, config.training_kimg), end) * 1000)
    trainer.steps = trainer.images // run.phases[level].batch
    trainer.generator_waits_until = trainer.images + DISCRIMINATOR_ALONE
