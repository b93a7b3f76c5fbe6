"""Begin a run where another ended: to train its generator on, or to grow it by a level."""

from __future__ import annotations

from pathlib import Path

import torch

from model.checkpoint import load_checkpoint
from model.training.config import TrainingConfig
from model.training.discriminator_file import load_discriminator
from model.training.errors import TrainingError
from model.training.state import RunFolder
from model.training.trainer import Trainer

DISCRIMINATOR_ALONE = 8_000
"""Images for a new discriminator alone: one that knows nothing yet would spoil the generator."""


def warm_start(trainer: Trainer, source: Path, discriminator: Path | None = None) -> None:
    """Take weights over, and go on in the schedule where their resolution is fully faded in.

    Args:
        trainer: a new run.
        source: a checkpoint, or the folder of another run. The channels must be the first ones of the
            new run's, and the latent size the same.
        discriminator: what `model export --discriminator` wrote. Checkpoints hold none: without it a new one
            starts, alone for `DISCRIMINATOR_ALONE` images.
    Raises:
        CheckpointError: the checkpoint cannot be read, or it is damaged.
        TrainingError: the run's state cannot be read, or the networks are others; or a run was given,
            which has a discriminator of its own, and another one.
    """
    if not source.is_dir():
        _from_checkpoint(trainer, source, discriminator)
    elif discriminator is None:
        _from_run(trainer, source)
    else:
        raise TrainingError(f"{source}: a run has its own discriminator; leave out {discriminator.name}")


def _from_checkpoint(trainer: Trainer, path: Path, discriminator: Path | None) -> None:
    arrays, config = load_checkpoint(path)
    level = _top_level(trainer.config, path, config.channels, config.latent_size)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    for generator in (trainer.generator, trainer.average):
        generator.load_serving_tensors(tensors, level)
    _set_position(trainer, level, config.training_kimg)
    if discriminator is None:
        trainer.generator_waits_until = trainer.images + DISCRIMINATOR_ALONE
    else:
        load_discriminator(discriminator, trainer.discriminator)


def _from_run(trainer: Trainer, folder: Path) -> None:
    channels, latent_size, state = RunFolder(folder).read_state()
    level = _top_level(trainer.config, folder, channels, latent_size)
    for name in ("generator", "discriminator", "average"):
        network: torch.nn.Module = getattr(trainer, name)
        network.load_state_dict({**network.state_dict(), **state[name]})
    trainer.sheet_latents = state["sheet_latents"].to(trainer.device)
    _set_position(trainer, level, state["images"] / 1000)


def _top_level(config: TrainingConfig, source: Path, channels: tuple[int, ...], latent_size: int) -> int:
    if config.channels[: len(channels)] != channels or config.latent_size != latent_size:
        raise TrainingError(
            f"{source}: has channels {[*channels]} and latent size {latent_size}; the run's "
            f"{[*config.channels]} and {config.latent_size} do not begin so"
        )
    return len(channels) - 1


def _set_position(trainer: Trainer, level: int, kimg: float) -> None:
    phases = trainer.config.phases
    ready = sum(phase.fade_kimg + phase.stable_kimg for phase in phases[:level]) + phases[level].fade_kimg
    trainer.images = round(min(max(ready, kimg), ready + phases[level].stable_kimg) * 1000)
    trainer.steps = trainer.images // phases[level].batch
