"""Begin a run where another ended: to train on, to grow it by a level, or to take levels off."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from model.networks import Discriminator, Generator
from model.training.config import TrainingConfig
from model.training.errors import TrainingError
from model.training.reuse.discriminator_file import load_discriminator, take_discriminator
from model.training.reuse.finished import load_generator
from model.training.reuse.lower import lower_generator, sample_images
from model.training.reuse.widen import can_widen, widen_generator
from model.training.state import RunFolder, discriminator_channels
from model.training.trainer import Trainer


def warm_start(trainer: Trainer, source: Path, discriminator: Path | None = None) -> None:
    """Take weights over, and go on in the schedule where their resolution is fully faded in.

    Args:
        trainer: a new run.
        source: a checkpoint, or the folder of another run. The latent size must be the new run's, and each
            level's channels the same or whole multiples: the networks are widened then. Of one of a higher
            resolution, the lower levels are taken.
        discriminator: what `model export --discriminator` wrote, of this resolution or another. Checkpoints
            hold none: without it a new one starts. One that was not trained with the generator, as it is
            now, is trained alone for the config's `discriminator_alone_kimg`; so is a new projected one.
    Raises:
        CheckpointError: the checkpoint cannot be read, or it is damaged.
        TrainingError: the run's state cannot be read, or the networks are others, or have other constants;
            or a run was given, which has a discriminator of its own, and another one.
    """
    if not source.is_dir():
        _from_checkpoint(trainer, source, discriminator)
    elif discriminator is None:
        _from_run(trainer, source)
    else:
        raise TrainingError(f"{source}: a run has its own discriminator; leave out {discriminator.name}")


def _from_checkpoint(trainer: Trainer, path: Path, discriminator: Path | None) -> None:
    generator, config = load_generator(path)
    _refuse_others(trainer.config, path, config.channels, config.latent_size)
    _take_over(trainer, generator, generator)
    known = None
    if discriminator is not None:
        images = _generated(trainer, generator)
        known = load_discriminator(discriminator, trainer.discriminator, _random(trainer), images)
    knows = known == config.channels and trainer.projected is None
    _set_position(trainer, config.channels, config.training_kimg, knows)


def _from_run(trainer: Trainer, folder: Path) -> None:
    channels, latent_size, state = RunFolder(folder).read_state()
    _refuse_others(trainer.config, folder, channels, latent_size)
    generator, average = (Generator(channels, latent_size, torch.Generator()) for _ in range(2))
    generator.load_state_dict(state["generator"])
    average.load_state_dict(state["average"])
    _take_over(trainer, generator, average)
    critic = discriminator_channels(state)
    if not can_widen(critic, trainer.config.critic_channels):
        raise TrainingError(
            f"{folder}: its discriminator has channels {[*critic]}, of which the run's "
            f"{[*trainer.config.critic_channels]} are no multiples: say discriminator_channels in the config"
        )
    discriminator = Discriminator(critic, trainer.config.stddev_group, torch.Generator())
    discriminator.load_state_dict(state["discriminator"])
    take_discriminator(discriminator, trainer.discriminator, _random(trainer), _generated(trainer, average))
    trainer.sheet_latents = state["sheet_latents"].to(trainer.device)
    knows = trainer.projected is None or trainer.projected.take_heads(state.get("projected"))
    _set_position(trainer, channels, state["images"] / 1000, knows)


def _take_over(trainer: Trainer, generator: Generator, average: Generator) -> None:
    levels = len(trainer.config.channels)
    for given, own in ((generator, trainer.generator), (average, trainer.average)):
        fits = given if len(given.channels) <= levels else lower_generator(given, levels, _random(trainer))
        widen_generator(fits, own, _random(trainer))


def _generated(trainer: Trainer, generator: Generator) -> Tensor | None:
    """What lower levels of a discriminator are fitted to; None where levels are not taken off."""
    if len(generator.channels) <= len(trainer.config.channels):
        return None
    return sample_images(generator, _random(trainer))


def _random(trainer: Trainer) -> torch.Generator:
    """Begins anew for each network: the averaged generator's weights are shared out as the generator's."""
    return torch.Generator().manual_seed(trainer.config.seed + 3)


def _refuse_others(config: TrainingConfig, source: Path, channels: tuple[int, ...], latent_size: int) -> None:
    if not can_widen(channels, config.channels) or config.latent_size != latent_size:
        raise TrainingError(
            f"{source}: has channels {[*channels]} and latent size {latent_size}; the run's "
            f"{[*config.channels]} and {config.latent_size} do not begin so, nor with multiples of them"
        )


def _set_position(
    trainer: Trainer, channels: tuple[int, ...], kimg: float, discriminator_knows: bool
) -> None:
    phases = trainer.config.phases
    level = min(len(channels), len(phases)) - 1
    ready = sum(phase.fade_kimg + phase.stable_kimg for phase in phases[:level]) + phases[level].fade_kimg
    trainer.images = round(min(max(ready, kimg), ready + phases[level].stable_kimg) * 1000)
    trainer.steps = trainer.images // phases[level].batch
    if len(channels) > len(phases) or not discriminator_knows:
        trainer.let_generator_wait()
