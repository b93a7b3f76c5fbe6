"""Files in the layout of pytorch_GAN_zoo, with random weights, and the arithmetic that its README describes.

Written from the layout alone: He's constant at run time on weight and bias alike, also for to_rgb.
"""

from __future__ import annotations

import math
import sys
import types
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

State = OrderedDict[str, Tensor]
SETTINGS = {
    "alpha": 0,
    "depthScale0": 512,
    "dimOutput": 3,
    "equalizedlR": True,
    "leakyReluLeak": 0.2,
    "lossCriterion": "WGANGP",
    "perChannelNormalization": True,
    "attribKeysOrder": None,
}


def random_state(channels: Sequence[int], latent_size: int, seed: int) -> State:
    """A generator's state dict: names and shapes of the zoo's, values N(0, 1), as its training starts."""
    rng = torch.Generator().manual_seed(seed)
    state: State = OrderedDict()

    def add(name: str, *shape: int) -> None:
        state[f"{name}.module.weight"] = torch.randn(*shape, generator=rng)
        state[f"{name}.module.bias"] = torch.randn(shape[0], generator=rng)

    for level, here in enumerate(channels):
        if level:
            add(f"scaleLayers.{level - 1}.0", here, channels[level - 1], 3, 3)
            add(f"scaleLayers.{level - 1}.1", here, here, 3, 3)
    for level, here in enumerate(channels):
        add(f"toRGBLayers.{level}", 3, here, 1, 1)
    add("formatLayer", 16 * channels[0], latent_size)
    add("groupScale0.0", channels[0], channels[0], 3, 3)
    return state


@torch.no_grad()
def generate(state: State, latents: Tensor) -> Tensor:
    """Latents [N, Z] -> images [N, 3, H, W], about -1..1."""

    def layer(x: Tensor, name: str) -> Tensor:
        weight, bias = state[f"{name}.module.weight"], state[f"{name}.module.bias"]
        y = (
            F.linear(x, weight, bias)
            if weight.ndim == 2
            else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        )
        return y * math.sqrt(2 / weight[0].numel())

    def norm(x: Tensor) -> Tensor:
        return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-8)

    x = F.leaky_relu(layer(norm(latents), "formatLayer"), 0.2)
    x = norm(x.view(len(latents), -1, 4, 4))
    x = norm(F.leaky_relu(layer(x, "groupScale0.0"), 0.2))
    levels = sum(name.startswith("scaleLayers") for name in state) // 4
    for level in range(levels):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        for conv in (0, 1):
            x = norm(F.leaky_relu(layer(x, f"scaleLayers.{level}.{conv}"), 0.2))
    return layer(x, f"toRGBLayers.{levels}")


def save(path: Path, content: dict[str, Any], *, settings: dict[str, Any], zipped: bool = False) -> None:
    """Save as the zoo does: its settings are an object of its own class."""
    names = ("models", "models.utils", "models.utils.config")
    modules = {name: types.ModuleType(name) for name in names}
    kind = type("BaseConfig", (), {"__module__": names[-1]})
    modules[names[-1]].BaseConfig = kind  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(modules)
    try:
        config = kind()
        vars(config).update(settings)
        torch.save({"config": config, **content}, path, _use_new_zipfile_serialization=zipped)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
