"""The lower levels of trained networks as networks of a lower resolution.

All is taken over but the layers to and from colours: those of a lower level were last trained when it was the
highest. They are fitted anew, by least squares, to what the higher levels made of the same latents or images.
What the higher levels drew is lost: training goes on from there.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from model.networks import LEAKY_SLOPE, Discriminator, EqualConv2d, Generator

BATCHES = 8
BATCH = 8


def halved(images: Tensor, times: int) -> Tensor:
    """Images of a lower resolution, each pixel the mean of those that it takes the place of.

    Args:
        images: [N, 3, R, R], about -1..1.
        times: how often to halve R.
    """
    return F.avg_pool2d(images.clamp(-1, 1), 1 << times) if times else images


@torch.no_grad()
def sample_images(generator: Generator, rng: torch.Generator) -> Tensor:
    """Images for `lower_discriminator`: [64, 3, R, R] at the generator's last level, about -1..1."""
    top = len(generator.channels) - 1
    latents = torch.randn(BATCHES, BATCH, generator.latent_size, generator=rng)
    return torch.cat([generator(batch, top) for batch in latents])


@torch.no_grad()
def lower_generator(high: Generator, levels: int, rng: torch.Generator) -> Generator:
    """A generator that generates about what another one does, at a lower resolution.

    Args:
        high: generating at its last level.
        levels: how many of its levels to keep.
        rng: source of the latents of the fit.
    """
    top, last = len(high.channels) - 1, levels - 1
    low = Generator(high.channels[:levels], high.latent_size, torch.Generator())
    own = low.state_dict()
    low.load_state_dict({name: high.state_dict()[name] for name in own})
    fit = _Fit(high.channels[last], 3)
    for _ in range(BATCHES):
        latents = torch.randn(BATCH, high.latent_size, generator=rng)
        pyramid = high.features(latents, top)
        fit.add(pyramid[last], halved(high.to_rgb[top](pyramid[top]), top - last))
    fit.set(cast(EqualConv2d, low.to_rgb[last]))
    return low


@torch.no_grad()
def lower_discriminator(high: Discriminator, levels: int, images: Tensor) -> Discriminator:
    """A discriminator that sees about what another one does, in images of a lower resolution.

    Args:
        high: scoring at its last level.
        levels: how many of its levels to keep.
        images: [N, 3, R, R] of the higher resolution, about -1..1.
    """
    top, last = len(high.channels) - 1, levels - 1
    low = Discriminator(high.channels[:levels], high.stddev_group, torch.Generator())
    own = low.state_dict()
    low.load_state_dict({name: high.state_dict()[name] for name in own})
    fit = _Fit(3, high.channels[last])
    for batch in torch.split(images, BATCH):
        seen = F.avg_pool2d(high.features(batch, top)[2 * (top - last) - 1], 2)
        # Leaky ReLU undone: the layer's output comes before it.
        fit.add(halved(batch, top - last), torch.where(seen > 0, seen, seen / LEAKY_SLOPE))
    fit.set(cast(EqualConv2d, low.from_rgb[last]))
    return low


class _Fit:
    """Least squares for a 1x1 convolution, from batches of its inputs and wanted outputs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self._square = torch.zeros(inputs + 1, inputs + 1, dtype=torch.double)
        self._product = torch.zeros(inputs + 1, outputs, dtype=torch.double)

    def add(self, given: Tensor, wanted: Tensor) -> None:
        rows = _pixels(F.pad(given, (0, 0, 0, 0, 0, 1), value=1.0))
        self._square += rows.T @ rows
        self._product += rows.T @ _pixels(wanted)

    def set(self, layer: EqualConv2d) -> None:
        solution = torch.linalg.lstsq(self._square, self._product, driver="gelsd").solution.float()
        layer.weight.copy_((solution[:-1].T / layer.scale).view_as(layer.weight))
        layer.bias.copy_(solution[-1])


def _pixels(x: Tensor) -> Tensor:
    """[N, C, H, W] -> float64 [N * H * W, C]."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).double()
