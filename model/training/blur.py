"""A slight blur, which tells fine lines from the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def blurred(images: Tensor, taps: Sequence[float]) -> Tensor:
    """Blur along both axes, mirrored at the edges.

    Args:
        images: float32 [N, 3, R, R].
        taps: an odd number of weights, of any sum but 0, along each axis; at most 2 R - 1.
    Returns:
        float32 [N, 3, R, R].
    """
    row = torch.tensor(taps, device=images.device) / sum(taps)
    kernel = (row[:, None] * row).expand(3, 1, len(taps), len(taps)).contiguous()
    edge = len(taps) // 2
    return F.conv2d(F.pad(images, (edge,) * 4, mode="reflect"), kernel, groups=3)
