"""A discriminator as a file: what fine-tuning wants beside the checkpoint, which holds a generator alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from model.checkpoint import write_atomically
from model.errors import CheckpointError
from model.networks import Discriminator
from model.training.reuse.lower import lower_discriminator
from model.training.reuse.widen import can_widen, widen_discriminator

SCHEMA = "diptych.discriminator/1"
KEY = "diptych"


def save_discriminator(
    path: Path, weights: Mapping[str, Tensor], channels: tuple[int, ...], generator: tuple[int, ...] = ()
) -> None:
    """Save a discriminator's weights in fp16; atomic.

    Args:
        path: the `.safetensors` file to write.
        weights: its state dict.
        channels: its feature maps from 4x4 up.
        generator: those of the generator that it was trained with, where they are others.
    Raises:
        CheckpointError: the file cannot be written.
    """
    stored = {name: tensor.cpu().half().contiguous() for name, tensor in weights.items()}
    about = json.dumps(
        {"schema": SCHEMA, "channels": channels, "generator": generator, "sha256": _checksum(stored)}
    )
    write_atomically(path, save(stored, {KEY: about}))


def load_discriminator(
    path: Path, network: Discriminator, rng: torch.Generator, generated: Tensor | None = None
) -> tuple[int, ...]:
    """Take over the weights of a file; levels of the network that the file lacks keep their own.

    Args:
        path: what `save_discriminator` wrote.
        network: whose channels must be those of the file, or whole multiples: it is widened then.
        rng: for widening.
        generated: as for `take_discriminator`.
    Returns:
        The channels of the generator that it was trained with.
    Raises:
        CheckpointError: unreadable, damaged, no discriminator, or of another network.
    """
    narrow, generator = open_discriminator(path, network.stddev_group)
    if not can_widen(narrow.channels, network.channels):
        raise CheckpointError(
            f"{path.name}: has channels {[*narrow.channels]}, "
            f"of which the run's {[*network.channels]} are no multiples"
        )
    take_discriminator(narrow, network, rng, generated)
    return generator


def open_discriminator(path: Path, stddev_group: int) -> tuple[Discriminator, tuple[int, ...]]:
    """Read a discriminator.

    Args:
        path: what `save_discriminator` wrote.
        stddev_group: images per group of the minibatch standard deviation.
    Returns:
        The discriminator, and the channels of the generator that it was trained with.
    Raises:
        CheckpointError: unreadable, damaged, or no discriminator.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        schema, channels = about["schema"], tuple(about["channels"])
        generator = tuple(about.get("generator") or channels)
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise CheckpointError(f"{path.name}: damaged, or no discriminator's file") from None
    if schema != SCHEMA:
        raise CheckpointError(f"{path.name}: schema {schema!r} is not {SCHEMA}")
    # Files of before this was written down have no checksum.
    if "sha256" in about and about["sha256"] != _checksum(tensors):
        raise CheckpointError(f"{path.name}: damaged: its bytes are not those that were saved")
    narrow = Discriminator(channels, stddev_group, torch.Generator())
    own = narrow.state_dict()
    if {name: tensor.shape for name, tensor in tensors.items()} != {n: t.shape for n, t in own.items()}:
        raise CheckpointError(f"{path.name}: its weights do not fit its channels")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise CheckpointError(f"{path.name}: holds values that are not finite")
    narrow.load_state_dict(tensors)
    return narrow, generator


def take_discriminator(
    given: Discriminator, network: Discriminator, rng: torch.Generator, generated: Tensor | None
) -> None:
    """Have a network score as another one does, whose resolution may be lower or higher.

    Args:
        given: another one, its channels those of the network or divisors of them.
        network: levels that `given` lacks keep their weights.
        rng: for widening.
        generated: [N, 3, R, R], about -1..1, to fit a higher one's lower levels to. Without it, or where R
            is not its resolution, the lower levels are taken as they are.
    """
    levels, top = len(network.channels), len(given.channels) - 1
    if top >= levels and generated is not None and generated.shape[-1] == 4 << top:
        given = lower_discriminator(given, levels, generated)
    widen_discriminator(given, network, rng)


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over names and values: safetensors itself has no checksum."""
    checksum = hashlib.sha256()
    for name in sorted(tensors):
        checksum.update(name.encode())
        checksum.update(tensors[name].float().contiguous().numpy().tobytes())
    return checksum.hexdigest()
