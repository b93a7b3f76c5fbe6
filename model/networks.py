"""Progressive GAN networks for training, in torch (Karras et al. 2018, arXiv:1710.10196).

Serving builds the generator from its checkpoint instead (`model/engines`);
`Generator.serving_tensors` is the bridge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

LEAKY_SLOPE = 0.2
PIXEL_NORM_EPS = 1e-8
LEAKY_GAIN = math.sqrt(2)


def pixel_norm(x: Tensor, eps: float = PIXEL_NORM_EPS) -> Tensor:
    """Scale each pixel's feature vector to unit mean square.

    Args:
        x: [N, C, ...]; the norm runs over C.
        eps: added to the mean square.
    """
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + eps)


def upsample(x: Tensor) -> Tensor:
    """Double height and width by repeating pixels."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _normalised_leaky_relu(x: Tensor) -> Tensor:
    return pixel_norm(F.leaky_relu(x, LEAKY_SLOPE))


class EqualConv2d(nn.Module):
    """A convolution with equalised learning rate: unit-variance weights, He's constant applied when run.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel, odd; the size of the image is kept.
        gain: sqrt(2) before a leaky ReLU, 1 where nothing follows.
        rng: source of the initial weights.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float, rng: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel, generator=rng))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel * kernel)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualLinear(nn.Module):
    """A fully connected layer with equalised learning rate; see `EqualConv2d`."""

    def __init__(self, inputs: int, outputs: int, gain: float, rng: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, generator=rng))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        return F.linear(x, self.weight * self.scale, self.bias)


class Generator(nn.Module):
    """Latents to images, at any level of its pyramid.

    Args:
        channels: feature maps at 4x4, 8x8, … up to the final resolution.
        latent_size: length of a latent vector.
        rng: source of the initial weights.
    """

    def __init__(self, channels: Sequence[int], latent_size: int, rng: torch.Generator) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.latent_size = latent_size
        self._activate: Callable[[Tensor], Tensor] = _normalised_leaky_relu
        # The paper's gain for the first layer: its 4x4 outputs are one pixel's worth of fan-out each.
        self.input = EqualLinear(latent_size, self.channels[0] * 16, LEAKY_GAIN / 4, rng)
        first = EqualConv2d(self.channels[0], self.channels[0], 3, LEAKY_GAIN, rng)
        self.blocks = nn.ModuleList([nn.ModuleDict({"conv": first})])
        for before, here in zip(self.channels, self.channels[1:], strict=False):
            block = {
                "conv0": EqualConv2d(before, here, 3, LEAKY_GAIN, rng),
                "conv1": EqualConv2d(here, here, 3, LEAKY_GAIN, rng),
            }
            self.blocks.append(nn.ModuleDict(block))
        self.to_rgb = nn.ModuleList([EqualConv2d(count, 3, 1, 1.0, rng) for count in self.channels])

    def forward(self, latents: Tensor, level: int, alpha: float = 1.0) -> Tensor:
        """Generate.

        Args:
            latents: [N, latent_size].
            level: 0 for 4x4, 1 for 8x8, …
            alpha: how far the level has faded in; below 1, the level before shows through.
        Returns:
            [N, 3, 4 << level, 4 << level], about -1..1.
        """
        pyramid = self.features(latents, level)
        image: Tensor = self.to_rgb[level](pyramid[level])
        if level > 0 and alpha < 1:
            image = torch.lerp(upsample(self.to_rgb[level - 1](pyramid[level - 1])), image, alpha)
        return image

    def features(self, latents: Tensor, level: int) -> list[Tensor]:
        """What `to_rgb` turns to colours, at each level up to this one.

        Returns:
            [N, channels[i], 4 << i, 4 << i] for i = 0..level.
        """
        x = self.input(pixel_norm(latents)).view(-1, self.channels[0], 4, 4)
        x = self._activate(x.contiguous(memory_format=torch.channels_last))
        pyramid: list[Tensor] = []
        for index in range(level + 1):
            x = x if index == 0 else upsample(x)
            for conv in cast(nn.ModuleDict, self.blocks[index]).values():
                x = self._activate(conv(x))
            pyramid.append(x)
        return pyramid

    def compile_activation(self) -> None:
        """Have torch fuse leaky ReLU and pixel norm: equal within rounding, less memory traffic."""
        self._activate = torch.compile(_normalised_leaky_relu)

    @torch.no_grad()
    def serving_tensors(self, level: int) -> dict[str, Tensor]:
        """The weights that generating at `level` takes, scales folded in, named as checkpoints name them.

        Returns:
            float32 tensors on the CPU, as `GeneratorConfig.tensor_shapes` lists them.
        """
        tensors: dict[str, Tensor] = {}
        for name, layer in self.layers(level).items():
            tensors[f"{name}.weight"] = (layer.weight * layer.scale).float().cpu().contiguous()
            tensors[f"{name}.bias"] = layer.bias.detach().float().cpu().contiguous()
        return tensors

    @torch.no_grad()
    def load_serving_tensors(self, tensors: Mapping[str, Tensor], level: int) -> None:
        """Take over what `serving_tensors` gave, scales undone; levels above keep their weights.

        Args:
            tensors: float32, with this generator's shapes.
            level: the level that they generate at.
        """
        for name, layer in self.layers(level).items():
            layer.weight.copy_(tensors[f"{name}.weight"] / layer.scale)
            layer.bias.copy_(tensors[f"{name}.bias"])

    def layers(self, level: int) -> dict[str, EqualConv2d | EqualLinear]:
        """What generating at `level` takes, in order, under the names that checkpoints give it."""
        layers: dict[str, nn.Module] = {"input": self.input}
        for index in range(level + 1):
            for name, conv in cast(nn.ModuleDict, self.blocks[index]).items():
                layers[f"blocks.{index}.{name}"] = conv
        layers["to_rgb"] = self.to_rgb[level]
        return cast(dict[str, EqualConv2d | EqualLinear], layers)


class Discriminator(nn.Module):
    """Images to scores, the generator's mirror image.

    Args:
        channels: feature maps at 4x4, 8x8, … up to the final resolution.
        stddev_group: images per group of the minibatch standard deviation.
        rng: source of the initial weights.
    """

    def __init__(self, channels: Sequence[int], stddev_group: int, rng: torch.Generator) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.stddev_group = stddev_group
        self.from_rgb = nn.ModuleList([EqualConv2d(3, count, 1, LEAKY_GAIN, rng) for count in self.channels])
        self.blocks = nn.ModuleList()
        for before, here in zip(self.channels, self.channels[1:], strict=False):
            block = [
                EqualConv2d(here, here, 3, LEAKY_GAIN, rng),
                EqualConv2d(here, before, 3, LEAKY_GAIN, rng),
            ]
            self.blocks.append(nn.ModuleList(block))
        first = self.channels[0]
        self.final_conv = EqualConv2d(first + 1, first, 3, LEAKY_GAIN, rng)
        self.final_hidden = EqualLinear(first * 16, first, LEAKY_GAIN, rng)
        self.final_score = EqualLinear(first, 1, 1.0, rng)

    def forward(self, images: Tensor, level: int, alpha: float = 1.0) -> Tensor:
        """Score images: the higher, the more real.

        Args:
            images: [N, 3, 4 << level, 4 << level], about -1..1.
            level: 0 for 4x4, 1 for 8x8, …
            alpha: how far the level has faded in.
        Returns:
            [N, 1].
        """
        images = images.contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.from_rgb[level](images), LEAKY_SLOPE)
        for index in range(level, 0, -1):
            x = F.avg_pool2d(self._level(x, index)[-1], 2)
            if index == level and alpha < 1:
                before = self.from_rgb[level - 1](F.avg_pool2d(images, 2))
                x = torch.lerp(F.leaky_relu(before, LEAKY_SLOPE), x, alpha)
        x = torch.cat([x, self._stddev(x)], dim=1)
        x = F.leaky_relu(self.final_conv(x), LEAKY_SLOPE)
        x = F.leaky_relu(self.final_hidden(x.flatten(1)), LEAKY_SLOPE)
        score: Tensor = self.final_score(x)
        return score

    def features(self, images: Tensor, level: int) -> list[Tensor]:
        """What the convolutions of the levels above 4x4 see, from the highest down.

        Returns:
            Two for each level i = level..1, after their leaky ReLUs: [N, channels[i], 4 << i, 4 << i] and
            [N, channels[i - 1], 4 << i, 4 << i].
        """
        x = F.leaky_relu(self.from_rgb[level](images), LEAKY_SLOPE)
        seen: list[Tensor] = []
        for index in range(level, 0, -1):
            seen += self._level(x, index)
            x = F.avg_pool2d(seen[-1], 2)
        return seen

    def _level(self, x: Tensor, level: int) -> list[Tensor]:
        seen: list[Tensor] = []
        for conv in cast(nn.ModuleList, self.blocks[level - 1]):
            x = F.leaky_relu(conv(x), LEAKY_SLOPE)
            seen.append(x)
        return seen

    def _stddev(self, x: Tensor) -> Tensor:
        # One number per group: how much its images differ. It tells the generator to keep variety.
        count = x.shape[0]
        group = min(self.stddev_group, count)
        if count % group:
            group = count
        y = x.float().reshape(group, -1, *x.shape[1:])
        y = y - y.mean(dim=0, keepdim=True)
        deviation = (y.square().mean(dim=0) + PIXEL_NORM_EPS).sqrt().mean(dim=(1, 2, 3), keepdim=True)
        return deviation.repeat(group, 1, x.shape[2], x.shape[3]).to(x.dtype)
