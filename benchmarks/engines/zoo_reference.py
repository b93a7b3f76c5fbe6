"""What people run today: the generator of pytorch_GAN_zoo, eager, one image at a time, Pillow's PNG.

Its code is no part of this repository: give a checkout of facebookresearch/pytorch_GAN_zoo.
"""

from __future__ import annotations

import importlib
import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.checkpoint import load_checkpoint
from model.config import GeneratorConfig
from model.seeds import latents


class ZooReference:
    """The zoo's generator with a checkpoint's weights.

    Args:
        checkout: folder of the zoo's code.
        path: a checkpoint of ours; its weights are unfolded again.
    """

    name = "zoo"

    def __init__(self, checkout: Path, path: Path) -> None:
        weights, config = load_checkpoint(path)
        sys.path.insert(0, str(checkout))
        try:
            networks = importlib.import_module("models.networks.progressive_conv_net")
        finally:
            sys.path.remove(str(checkout))
        self._latent_size = config.latent_size
        self._network = networks.GNet(config.latent_size, config.channels[0])
        for channels in config.channels[1:]:
            self._network.addScale(channels)
        self._network.load_state_dict(_unfolded(weights, config), strict=False)
        self._network.eval()

    def generate_from_latents(self, seed: int) -> NDArray[np.uint8]:
        """One seed to uint8 [H, W, 3]."""
        with torch.no_grad():
            x: Any = self._network(torch.from_numpy(latents([seed], self._latent_size)))[0]
        image: NDArray[np.uint8] = ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return image

    @staticmethod
    def encode(image: NDArray[np.uint8]) -> bytes:
        """Pillow's default PNG."""
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        return buffer.getvalue()


def _unfolded(weights: dict[str, NDArray[np.float32]], config: GeneratorConfig) -> dict[str, torch.Tensor]:
    last = len(config.channels) - 1
    layers = {"input": "formatLayer", "blocks.0.conv": "groupScale0.0", "to_rgb": f"toRGBLayers.{last}"}
    for level in range(1, last + 1):
        for conv in (0, 1):
            layers[f"blocks.{level}.conv{conv}"] = f"scaleLayers.{level - 1}.{conv}"
    state = {}
    for ours, theirs in layers.items():
        scale = math.sqrt(2 / math.prod(weights[f"{ours}.weight"].shape[1:]))
        for kind in ("weight", "bias"):
            state[f"{theirs}.module.{kind}"] = torch.from_numpy(weights[f"{ours}.{kind}"] / scale)
    return state
