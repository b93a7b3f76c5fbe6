"""The generator as an OpenVINO graph, built straight from a checkpoint's weights.

Arithmetic is saved where the outcome stays the same: nearest upsampling and the 3x3 convolution after it
become one convolution (4/9 of the work); pixel norm becomes NormalizeL2, its factor sqrt(C) folded into the
weights that follow; the step from -1..1 to 0..255 is folded into `to_rgb`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, cast

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from model.config import GeneratorConfig

Upsampling = Literal["transposed", "subpixel"]
"""How upsampling and convolution are fused: a transposed convolution, or a 2x2 one and depth-to-space."""

Weights = Mapping[str, NDArray[np.float32]]


def build_graph(weights: Weights, config: GeneratorConfig, upsampling: Upsampling) -> ov.Model:
    """Build the generator for one image.

    Args:
        weights: float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        upsampling: form of the fused upsampling.
    Returns:
        A model: float32 latents [1, latent_size] -> uint8 image [1, H, W, 3].
    """
    latents = ops.parameter([1, config.latent_size], np.float32, name="latents")
    builder = _Builder(weights, config, upsampling)
    x = builder.input_layer(latents)
    for level in range(len(config.channels)):
        x = builder.block(x, level)
    return ov.Model([builder.image(x)], [latents], config.name)


class _Builder:
    """Adds layers to a graph. Every `x` between layers is an L2-normalised one, not yet scaled by sqrt(C)."""

    def __init__(self, weights: Weights, config: GeneratorConfig, upsampling: Upsampling) -> None:
        self._weights = weights
        self._config = config
        self._upsampling = upsampling

    def input_layer(self, latents: ov.Node) -> ov.Node:
        """[1, Z] -> [1, C0, 4, 4]."""
        x = self._normalise(latents, self._config.latent_size)
        weight = self._weights["input.weight"] * math.sqrt(self._config.latent_size)
        x = ops.matmul(x, ops.constant(np.ascontiguousarray(weight)), False, True)
        x = ops.add(x, ops.constant(self._weights["input.bias"][None]))
        x = ops.reshape(x, ops.constant(np.array([1, self._config.channels[0], 4, 4])), False)
        return self._activate(x, self._config.channels[0])

    def block(self, x: ov.Node, level: int) -> ov.Node:
        """One level of the pyramid: [1, C, H, W] -> [1, C', 2H, 2W], but the first keeps its 4x4."""
        here = self._config.channels[level]
        if level == 0:
            return self._activate(self._conv(x, "blocks.0.conv"), here)
        x = self._activate(self._upsample_conv(x, f"blocks.{level}.conv0"), here)
        return self._activate(self._conv(x, f"blocks.{level}.conv1"), here)

    def image(self, x: ov.Node) -> ov.Node:
        """[1, C, H, W] -> uint8 [1, H, W, 3]."""
        weight = self._scaled("to_rgb") * np.float32(127.5)
        bias = (self._weights["to_rgb.bias"] + 1) * np.float32(127.5)
        x = ops.convolution(x, ops.constant(weight), [1, 1], [0, 0], [0, 0], [1, 1])
        x = ops.add(x, ops.constant(bias.reshape(1, 3, 1, 1)))
        x = ops.clamp(ops.round(x, "half_to_even"), 0.0, 255.0)
        return ops.convert(ops.transpose(x, ops.constant(np.array([0, 2, 3, 1]))), "u8")

    def _conv(self, x: ov.Node, layer: str) -> ov.Node:
        x = ops.convolution(x, ops.constant(self._scaled(layer)), [1, 1], [1, 1], [1, 1], [1, 1])
        return self._add_bias(x, layer)

    def _upsample_conv(self, x: ov.Node, layer: str) -> ov.Node:
        kernel = fuse_upsampling(self._scaled(layer))
        if self._upsampling == "transposed":
            kernel = np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))
            x = ops.convolution_backprop_data(
                x, ops.constant(kernel), [2, 2], pads_begin=[1, 1], pads_end=[1, 1], dilations=[1, 1]
            )
            return self._add_bias(x, layer)
        x = ops.convolution(x, ops.constant(to_subpixel(kernel)), [1, 1], [1, 1], [1, 1], [1, 1])
        x = ops.depth_to_space(x, "blocks_first", 2)
        # Padding by 1 gave one pixel too many on every side.
        first, last, step = (ops.constant(np.array([value, value])) for value in (1, -1, 1))
        x = ops.slice(x, first, last, step, ops.constant(np.array([2, 3])))
        return self._add_bias(x, layer)

    def _add_bias(self, x: ov.Node, layer: str) -> ov.Node:
        return ops.add(x, ops.constant(self._weights[f"{layer}.bias"].reshape(1, -1, 1, 1)))

    def _activate(self, x: ov.Node, channels: int) -> ov.Node:
        slope = ops.constant(np.array([self._config.leaky_slope], dtype=np.float32))
        return self._normalise(ops.prelu(x, slope), channels)

    def _normalise(self, x: ov.Node, channels: int) -> ov.Node:
        # x * rsqrt(mean(x^2) + eps) = sqrt(C) * x * rsqrt(sum(x^2) + C * eps)
        axes = ops.constant(np.array([1]))
        return ops.normalize_l2(x, axes, channels * self._config.pixel_norm_eps, "add")

    def _scaled(self, layer: str) -> NDArray[np.float32]:
        weight = self._weights[f"{layer}.weight"]
        scaled = weight * np.float32(math.sqrt(weight.shape[1]))
        return cast("NDArray[np.float32]", np.ascontiguousarray(scaled, dtype=np.float32))


def fuse_upsampling(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fuse nearest upsampling by 2 into the 3x3 convolution that follows it.

    With y[o] = x[o // 2], tap k of the convolution reads x[i] at distance d = o - 2i of 1 - k or 2 - k, so
    the kernel of the transposed convolution (stride 2, padding 1) has weight[1 - d] + weight[2 - d] at d + 1.

    Args:
        weight: [O, I, 3, 3].
    Returns:
        [O, I, 4, 4]: 16 multiplications for each input pixel in place of 36.
    """
    flipped = weight[:, :, ::-1, ::-1]
    fused = np.zeros((*weight.shape[:2], 4, 4), dtype=np.float32)
    for row in (0, 1):
        for column in (0, 1):
            fused[:, :, row : row + 3, column : column + 3] += flipped
    return fused


def to_subpixel(fused: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn a fused kernel into a plain 2x2 convolution with one output for each of the 4 subpixels.

    Run with padding 1, its position j holds what belongs to the odd output pixel 2j - 1, then to the even
    one 2j: depth-to-space puts them at 2j and 2j + 1, one too far, so the caller cuts one off each side.

    Args:
        fused: [O, I, 4, 4], from `fuse_upsampling`.
    Returns:
        [4 * O, I, 2, 2], in the order of DepthToSpace's blocks_first.
    """
    odd, even = [2, 0], [3, 1]
    parts = [fused[:, :, rows, :][:, :, :, columns] for rows in (odd, even) for columns in (odd, even)]
    return np.ascontiguousarray(np.concatenate(parts))
