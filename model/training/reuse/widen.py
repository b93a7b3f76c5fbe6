"""More feature maps for trained networks, which act as before: Net2WiderNet (arXiv:1511.05641).

A layer's new outputs repeat its old ones; the layer after it shares each old input's weight out among the
repeats. The shares are drawn at random, so that repeats get gradients of their own and part ways. Counts grow
by whole factors: every map is repeated equally often, which leaves what pixel norm divides by as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from model.networks import Discriminator, Generator

Layer = Any  # an EqualConv2d or EqualLinear; torch's lists of modules tell no more than Module

SPREAD = 0.5
"""Standard deviation of a share, as a part of an equal one."""


def can_widen(old: Sequence[int], new: Sequence[int]) -> bool:
    """True if the feature maps of `new` are whole multiples of those of `old` at each level of both."""
    return all(wide % narrow == 0 for narrow, wide in zip(old, new, strict=False))


def widen_generator(narrow: Generator, wide: Generator, rng: torch.Generator) -> None:
    """Have a generator generate as a narrower one does at its last level, within rounding.

    Args:
        narrow: what is taken over.
        wide: whose feature maps `can_widen` allows; levels above `narrow`'s keep their weights.
        rng: source of the shares.
    """
    times = _times(narrow.channels, wide.channels)
    top = len(times) - 1
    ours, theirs = wide.layers(top), narrow.layers(top)
    for name, layer in ours.items():
        if name == "input":
            inputs = 1
        elif name == "to_rgb":
            inputs = times[top]
        else:
            _, level, conv = name.split(".")
            inputs = times[int(level) - 1 if conv == "conv0" else int(level)]
        _take(theirs[name], layer, inputs, rng)


def widen_discriminator(narrow: Discriminator, wide: Discriminator, rng: torch.Generator) -> None:
    """Have a discriminator score as a narrower one does, within rounding.

    Args:
        narrow: what is taken over.
        wide: whose feature maps `can_widen` allows; levels above `narrow`'s keep their weights, and levels
            that it lacks are left out.
        rng: source of the shares.
    """
    times = _times(narrow.channels, wide.channels)
    for old, new in zip(narrow.from_rgb, wide.from_rgb, strict=False):
        _take(old, new, 1, rng)
    for level, (old_block, new_block) in enumerate(zip(narrow.blocks, wide.blocks, strict=False), 1):
        for old, new in zip(cast(nn.ModuleList, old_block), cast(nn.ModuleList, new_block), strict=True):
            _take(old, new, times[level], rng)
    # Its last input is the batch's deviation, which has no repeat.
    _take(narrow.final_conv, wide.final_conv, times[0], rng, alone=1)
    _take(narrow.final_hidden, wide.final_hidden, times[0], rng)
    _take(narrow.final_score, wide.final_score, times[0], rng)


def _times(old: Sequence[int], new: Sequence[int]) -> list[int]:
    return [wide // narrow for narrow, wide in zip(old, new, strict=False)]


@torch.no_grad()
def _take(old: Layer, new: Layer, inputs: int, rng: torch.Generator, alone: int = 0) -> None:
    """Set a layer from a narrower one whose inputs are repeated `inputs` times, but for the last `alone`."""
    if new.weight.shape == old.weight.shape:  # to the bit
        new.load_state_dict(old.state_dict())
        return
    weight = (old.weight * old.scale).float().cpu()
    split = weight.shape[1] - alone
    parts = [weight[:, :split] * share for share in _shares(weight[:, :split], inputs, rng)]
    wider = torch.cat([*parts, weight[:, split:]], dim=1)
    outputs = new.weight.shape[0] // old.weight.shape[0]
    new.weight.copy_(torch.cat([wider] * outputs) / new.scale)
    new.bias.copy_(old.bias.repeat(outputs))


def _shares(weight: Tensor, times: int, rng: torch.Generator) -> Tensor:
    """[times, *weight.shape], 1 in sum over the first axis."""
    noise = torch.randn(times, *weight.shape, generator=rng) * SPREAD
    return (1 + noise - noise.mean(dim=0)) / times
