"""Begin a run where another ended: to train its generator on, or to grow it by a level."""

from __future__ import annotations

from pathlib import Path

import torch

from model.checkpoint import load_checkpoint
from model.networks import Discriminator, Generator
from model.training.config import TrainingConfig
from model.training.discriminator_file import load_discriminator
from model.training.errors import TrainingError
from model.training.state import RunFolder
from model.training.trainer import Trainer
from model.training.widen import can_widen, widen_discriminator, widen_generator


def warm_start(trainer: Trainer, source: Path, discriminator: Path | None = None) -> None:
    """Take weights over, and go on in the schedule where their resolution is fully faded in.

    Args:
        trainer: a new run.
        source: a checkpoint, or the folder of another run. The latent size must be the new run's, and each
            level's channels the same or whole multiples: the networks are widened then.
        discriminator: what `model export --discriminator` wrote, of this resolution or another. Checkpoints
            hold none: without it a new one starts. One that was not trained with the generator is trained
            alone for the config's `discriminator_alone_kimg`.
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
    narrow = Generator(config.channels, config.latent_size, torch.Generator())
    narrow.load_serving_tensors(tensors, level)
    _take_over(trainer, narrow, narrow)
    _set_position(trainer, level, config.training_kimg)
    known = None
    if discriminator is not None:
        known = load_discriminator(discriminator, trainer.discriminator, _shares(trainer))
    if known != config.channels:
        trainer.generator_waits_until = trainer.images + round(trainer.config.discriminator_alone_kimg * 1000)


def _from_run(trainer: Trainer, folder: Path) -> None:
    channels, latent_size, state = RunFolder(folder).read_state()
    level = _top_level(trainer.config, folder, channels, latent_size)
    generator, average = (Generator(channels, latent_size, torch.Generator()) for _ in range(2))
    generator.load_state_dict(state["generator"])
    average.load_state_dict(state["average"])
    _take_over(trainer, generator, average)
    discriminator = Discriminator(channels, trainer.config.stddev_group, torch.Generator())
    discriminator.load_state_dict(state["discriminator"])
    widen_discriminator(discriminator, trainer.discriminator, _shares(trainer))
    trainer.sheet_latents = state["sheet_latents"].to(trainer.device)
    _set_position(trainer, level, state["images"] / 1000)


def _take_over(trainer: Trainer, generator: Generator, average: Generator) -> None:
    for narrow, own in ((generator, trainer.generator), (average, trainer.average)):
        widen_generator(narrow, own, _shares(trainer))


def _shares(trainer: Trainer) -> torch.Generator:
    """Begins anew for each network: the averaged generator's weights are shared out as the generator's."""
    return torch.Generator().manual_seed(trainer.config.seed + 3)


def _top_level(config: TrainingConfig, source: Path, channels: tuple[int, ...], latent_size: int) -> int:
    deeper = len(channels) > len(config.channels)
    if deeper or not can_widen(channels, config.channels) or config.latent_size != latent_size:
        raise TrainingError(
            f"{source}: has channels {[*channels]} and latent size {latent_size}; the run's "
            f"{[*config.channels]} and {config.latent_size} do not begin so, nor with multiples of them"
        )
    return len(channels) - 1


def _set_position(trainer: Trainer, level: int, kimg: float) -> None:
    phases = trainer.config.phases
    ready = sum(phase.fade_kimg + phase.stable_kimg for phase in phases[:level]) + phases[level].fade_kimg
    trainer.images = round(min(max(ready, kimg), ready + phases[level].stable_kimg) * 1000)
    trainer.steps = trainer.images // phases[level].batch
