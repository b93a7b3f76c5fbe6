"""A run's folder: the state to go on from, figures, sample sheets."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import save_checkpoint, write_atomically
from model.errors import CheckpointError
from model.networks import Generator
from model.training.config import TrainingConfig
from model.training.errors import TrainingError
from model.training.reuse.discriminator_file import save_discriminator

SCHEMA = "diptych.training/1"


class RunFolder:
    """Where a run keeps what it knows.

    Args:
        path: the folder; made when first written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def state_path(self) -> Path:
        """The state to go on from."""
        return self.path / "state.pt"

    def save_state(self, state: Mapping[str, Any], config: TrainingConfig, data: str) -> None:
        """Keep a state; a failed save leaves the one before.

        Args:
            state: as `Trainer.state_dict` gives it.
            config: the run's config.
            data: fingerprint of the images.
        Raises:
            TrainingError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        shape = {"channels": list(config.channels), "latent_size": config.latent_size}
        torch.save({"schema": SCHEMA, "shape": shape, "data": data, "state": dict(state)}, buffer)
        try:
            write_atomically(self.state_path, buffer.getvalue())
        except CheckpointError as error:
            raise TrainingError(str(error)) from None

    def load_state(self, config: TrainingConfig) -> dict[str, Any] | None:
        """The saved state, or None for a new run.

        Args:
            config: the run's config; its networks must be those of the state.
        Raises:
            TrainingError: the state is damaged, or of other networks.
        """
        if not self.state_path.exists():
            return None
        channels, latent_size, state = self.read_state()
        critic = discriminator_channels(state)
        if critic != config.critic_channels and channels == config.channels:
            raise TrainingError(
                f"{self.state_path}: of a run whose discriminator has channels {[*critic]}; the config says "
                f"{[*config.critic_channels]}: choose another run folder"
            )
        if channels != config.channels or latent_size != config.latent_size:
            raise TrainingError(
                f"{self.state_path}: of a run with channels {[*channels]} and latent size "
                f"{latent_size}; the config says otherwise: choose another run folder"
            )
        return state

    def read_state(self) -> tuple[tuple[int, ...], int, dict[str, Any]]:
        """The saved state of a run with any networks.

        Returns:
            Channels, latent size, and the state as `Trainer.state_dict` gave it.
        Raises:
            TrainingError: there is none, or it is damaged.
        """
        if not self.state_path.exists():
            raise TrainingError(f"{self.path}: no training state there")
        damaged = TrainingError(f"{self.state_path}: damaged, or no state of a training run")
        # torch also reads bare pickles, and damaged weights without a word; a state is always a sound zip.
        if not _is_sound_zip(self.state_path):
            raise damaged
        try:
            kept = torch.load(self.state_path, map_location="cpu", weights_only=True)
            schema, shape, state = kept["schema"], kept["shape"], dict(kept["state"])
            channels, latent_size = tuple(shape["channels"]), int(shape["latent_size"])
        except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError):
            raise damaged from None
        if schema != SCHEMA:
            raise TrainingError(f"{self.state_path}: schema {schema!r} is not {SCHEMA}")
        return channels, latent_size, state

    def add_stats(self, figures: Mapping[str, float | int | str]) -> None:
        """Append a line to stats.jsonl, whole or not at all. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        line = json.dumps(dict(figures)).encode() + b"\n"
        with (self.path / "stats.jsonl").open("ab", buffering=0) as file:
            end = file.tell()
            if file.write(line) < len(line):
                file.truncate(end)  # a full disk takes a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def discriminator_channels(state: Mapping[str, Any]) -> tuple[int, ...]:
    """The feature maps of a state's discriminator, from 4x4 up."""
    weights = state["discriminator"]
    levels = sum(name.startswith("from_rgb.") and name.endswith(".weight") for name in weights)
    return tuple(int(weights[f"from_rgb.{level}.weight"].shape[0]) for level in range(levels))


def _is_sound_zip(path: Path) -> bool:
    """Whether every part has the checksum that was stored with it; torch does not look at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error):
        return False


def export_run(
    folder: RunFolder, config: TrainingConfig, target: Path, discriminator: Path | None = None
) -> str:
    """Make a serving checkpoint of a run's averaged generator.

    Args:
        folder: the run.
        config: the run's config.
        target: the `.safetensors` file to write.
        discriminator: another one, for the run's discriminator, to train on from both later.
    Returns:
        The checkpoint's digest, "sha256:<hex>".
    Raises:
        TrainingError: no state yet, a damaged one, the last level has not fully faded in, or both files are
            one.
        CheckpointError: the checkpoint cannot be saved.
    """
    if discriminator is not None and discriminator.resolve() == target.resolve():
        raise TrainingError(f"{target}: the checkpoint and the discriminator need a file each")
    state = folder.load_state(config)
    if state is None:
        raise TrainingError(f"{folder.path}: no training state there")
    images = int(state["images"])
    before = sum(phase.fade_kimg + phase.stable_kimg for phase in config.phases[:-1])
    ready = before + config.phases[-1].fade_kimg
    if images < ready * 1000:
        raise TrainingError(
            f"{folder.path}: at {images / 1000:.1f} kimg; {config.resolution} px is ready from {ready:g} on"
        )
    average = Generator(config.channels, config.latent_size, torch.Generator().manual_seed(0))
    average.load_state_dict(state["average"])
    tensors = average.serving_tensors(config.phases[-1].level)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    digest = save_checkpoint(target, arrays, config.generator_config(images / 1000))
    if discriminator is not None:
        save_discriminator(
            discriminator, state["discriminator"], discriminator_channels(state), config.channels
        )
    return digest
