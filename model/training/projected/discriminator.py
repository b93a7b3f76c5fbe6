"""A discriminator that looks at images through a finished classifier: projected GANs (arXiv:2111.01007).

The classifier's maps at four scales are mixed across channels and across scales by random weights that stay
as they are (the paper's CCM and CSM); a small head on each of the mixed maps learns to tell real from
generated, by the hinge loss. Heads cannot dwell on single pixels, and the generator hears early what makes
an image look wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from model.networks import LEAKY_SLOPE
from model.training.config_tables import Augmentation, ProjectedConfig
from model.training.projected.feature_network import TAP_CHANNELS, FeatureNetwork

MIXED_CHANNELS = (32, 64, 128, 256)
"""Of the maps at 1/4, 1/8, 1/16 and 1/32 once mixed across channels."""
HEAD_SIDE = 4
"""Heads halve their maps down to this many pixels, and score each place."""


class ProjectedDiscriminator(nn.Module):
    """Frozen features, random mixing, heads that learn.

    Args:
        config: the run's `[projected]`.
        side: images' height and width in pixels; smaller ones are scaled up to it.
        dtype: of the frozen part.
        seed: of the mixing's and the heads' weights.
    Raises:
        TrainingError: the feature network cannot be had.
    """

    def __init__(self, config: ProjectedConfig, side: int, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        self.side = side
        self._augmentation = config.augmentation
        with torch.random.fork_rng(devices=[]):  # spectral norm draws from torch's own
            self._features = [FeatureNetwork(config.sha256, dtype)]  # in a list: no part of the state
            torch.manual_seed(seed)
            self.across_channels = nn.ModuleList(
                _frozen(nn.Conv2d(count, mixed, 1, bias=False))
                for count, mixed in zip(TAP_CHANNELS, MIXED_CHANNELS, strict=True)
            )
            below = (MIXED_CHANNELS[0], *MIXED_CHANNELS[:-1])
            self.across_scales = nn.ModuleList(
                _frozen(nn.Conv2d(mixed, fewer, 3, padding=1, bias=False))
                for mixed, fewer in zip(MIXED_CHANNELS, below, strict=True)
            )
            # The last mixing of each scale doubles the side, but for the finest, which has none below.
            sides = [side // 4, *(side // (4 << scale) for scale in range(len(below) - 1))]
            self.heads = nn.ModuleList(
                _head(below[scale], sides[scale], config.head_channels) for scale in range(config.heads)
            )

    def features_to(self, device: torch.device) -> None:
        """Move the frozen features, which `to` does not see."""
        self._features[0].to(device)

    def look(self, images: Tensor, rng: torch.Generator) -> list[Tensor]:
        """What the heads see of images, each moved and tinted a little.

        Args:
            images: float32 [N, 3, R, R], about -1..1.
            rng: of the augmentation.
        Returns:
            A map for each head, from the finest on.
        """
        x = augmented(images, self._augmentation, rng)
        if x.shape[-1] != self.side:
            x = F.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        maps = [mix(found) for mix, found in zip(self.across_channels, self._features[0](x), strict=True)]
        seen: list[Tensor] = []
        carried: Tensor | None = None
        for scale in reversed(range(len(maps))):
            mixed = maps[scale] if carried is None else maps[scale] + carried
            carried = self.across_scales[scale](mixed)
            if scale:
                size = maps[scale - 1].shape[-2:]
                carried = F.interpolate(carried, size=size, mode="bilinear", align_corners=False)
            seen.append(carried)
        return seen[::-1][: len(self.heads)]

    def score(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """Scores of places, the higher, the more real.

        Args:
            seen: what `look` gave.
        Returns:
            float32 [N, places] of each head.
        """
        return [head(maps).flatten(1).float() for head, maps in zip(self.heads, seen, strict=True)]


def augmented(images: Tensor, how: Augmentation, rng: torch.Generator) -> Tensor:
    """Images with random brightness, contrast and place; differentiable (arXiv:2006.10738).

    Args:
        images: float32 [N, 3, R, R].
        how: how far.
        rng: a CPU generator, whatever the images' device.
    """
    count, _, side, _ = images.shape

    def spread(width: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, generator=rng).to(images.device) - 0.5) * width

    if how.brightness:
        images = images + spread(how.brightness)
    if how.contrast:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = torch.lerp(mean, images, 1 + spread(how.contrast))
    reach = round(side * how.shift)
    if reach:
        padded = F.pad(images, (reach,) * 4, mode="replicate")
        places = torch.randint(0, 2 * reach + 1, (count, 2), generator=rng).tolist()
        images = torch.stack(
            [
                image[:, top : top + side, left : left + side]
                for image, (top, left) in zip(padded, places, strict=True)
            ]
        )
    return images


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The heads' loss, summed over them (arXiv:1705.02894).

    Args:
        real: [N, places] of each head.
        fake: the same.
    """
    losses = [F.relu(1 - scores).mean() for scores in real] + [F.relu(1 + scores).mean() for scores in fake]
    return torch.stack(losses).sum()


def _frozen(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(layer.weight)
    return layer.requires_grad_(False)


def _head(inputs: int, side: int, most: int) -> nn.Sequential:
    layers: list[Any] = []
    while side > HEAD_SIDE:
        outputs = min(inputs * 2, most)
        layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(LEAKY_SLOPE)]
        inputs, side = outputs, side // 2
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(inputs, 1, 3, padding=1)))
