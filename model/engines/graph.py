"""The generator as an OpenVINO graph, built straight from a checkpoint's weights.

Arithmetic is saved where the result stays the same: nearest upsampling and the 3x3 convolution after it
become one convolution (4/9 of the work); pixel norm becomes NormalizeL2; the step from -1..1 to 0..255 is
folded into `to_rgb`.

NormalizeL2 lacks pixel norm's factor sqrt(C). The next layer's weights are not scaled to compensate: its own
norm removes any factor. Only its bias and that norm's epsilon are divided, and tens of millions of fp16
weights are shared with the runtime as stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from model.config import GeneratorConfig
from model.engines.kernels import quantise, to_subpixel, to_transposed
from model.precision_gate import ActivationRange
from model.protocol import Tensor, Weights

Upsampling = Literal["transposed", "subpixel"]
"""How upsampling and convolution are fused: a transposed convolution, or a 2x2 one and depth-to-space."""

LEVELS_OF_UINT8 = 256


class GraphBuilder:
    """Builds a generator for one image.

    Between layers every `x` is L2-normalised over its channels, not yet scaled by sqrt(C).

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        upsampling: form of the fused upsampling; layers in int8 always take "subpixel", since a quantised
            transposed convolution would run in floats.
        int8_layers: convolutions to run in int8.
    """

    def __init__(
        self,
        weights: Weights,
        config: GeneratorConfig,
        upsampling: Upsampling,
        int8_layers: Mapping[str, ActivationRange] | None = None,
    ) -> None:
        self._weights = weights
        self._config = config
        self._upsampling = upsampling
        self._int8_layers = int8_layers or {}
        self.conv_inputs: dict[str, ov.Output] = {}
        """The input of each convolution, by layer, to measure activations."""
        self.kernels: dict[str, Tensor] = {}
        """The kernel of each convolution [O, I, H, W], by layer."""

    def build(self) -> ov.Model:
        """Build the whole graph: float32 latents [1, latent_size] -> uint8 image [1, H, W, 3]."""
        latents = self._latents()
        return ov.Model([self._blocks_and_image(self._input_layer(latents))], [latents], self._config.name)

    def build_parts(self) -> tuple[ov.Model, ov.Model]:
        """Build the graph in two parts, which can run in different precisions.

        Returns:
            The input layer: float32 latents [1, latent_size] -> float32 [1, C0, 4, 4]; and the rest, from
            there to a uint8 image [1, H, W, 3].
        """
        latents = self._latents()
        first = ov.Model([self._input_layer(latents)], [latents], f"{self._config.name}-input")
        x = ops.parameter([1, self._config.channels[0], 4, 4], np.float32, name="features")
        return first, ov.Model([self._blocks_and_image(x)], [x], self._config.name)

    def _latents(self) -> ov.Node:
        return ops.parameter([1, self._config.latent_size], np.float32, name="latents")

    def _blocks_and_image(self, x: ov.Node) -> ov.Node:
        """[1, C0, 4, 4] -> uint8 [1, H, W, 3]."""
        for level in range(len(self._config.channels)):
            x = self._block(x, level)
        return self._image(x)

    def _input_layer(self, latents: ov.Node) -> ov.Node:
        """[1, Z] -> [1, C0, 4, 4]."""
        size = self._config.latent_size
        x = ops.matmul(self._normalise(latents, size), _floats(self._weights["input.weight"]), False, True)
        x = ops.add(x, _constant(self._bias("input", size).reshape(1, -1)))
        x = ops.reshape(x, _constant(np.array([1, self._config.channels[0], 4, 4])), False)
        return self._normalise(self._leaky(x), self._config.channels[0], size)

    def _block(self, x: ov.Node, level: int) -> ov.Node:
        """One level of the pyramid: [1, C, H, W] -> [1, C', 2H, 2W], but the first keeps its 4x4."""
        if level == 0:
            return self._conv(x, "blocks.0.conv")
        x = self._upsample_conv(x, f"blocks.{level}.conv0")
        return self._conv(x, f"blocks.{level}.conv1")

    def _image(self, x: ov.Node) -> ov.Node:
        """[1, C, H, W] -> uint8 [1, H, W, 3]."""
        weight = self._float("to_rgb.weight") * np.float32(127.5 * math.sqrt(self._config.channels[-1]))
        bias = (self._float("to_rgb.bias") + 1) * np.float32(127.5)
        x = ops.convolution(x, _constant(weight), [1, 1], [0, 0], [0, 0], [1, 1])
        x = ops.add(x, _constant(bias.reshape(1, 3, 1, 1)))
        x = ops.clamp(ops.round(x, "half_to_even"), 0.0, 255.0)
        return ops.convert(ops.transpose(x, _constant(np.array([0, 2, 3, 1]))), "u8")

    def _conv(self, x: ov.Node, layer: str) -> ov.Node:
        x, kernel = self._operands(x, layer, self._weights[f"{layer}.weight"])
        x = ops.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
        outputs, inputs = self._shape(layer)
        x = ops.add(x, _constant(self._bias(layer, inputs)))
        return self._normalise(self._leaky(x), outputs, inputs)

    def _upsample_conv(self, x: ov.Node, layer: str) -> ov.Node:
        weight = self._float(f"{layer}.weight")
        outputs, inputs = self._shape(layer)
        bias = self._bias(layer, inputs)
        if self._upsampling == "transposed" and layer not in self._int8_layers:
            kernel = to_transposed(weight)
            self._record(x, layer, kernel.transpose(1, 0, 2, 3))
            x = ops.convolution_backprop_data(
                x, _constant(kernel), [2, 2], pads_begin=[1, 1], pads_end=[1, 1], dilations=[1, 1]
            )
            x = self._leaky(ops.add(x, _constant(bias)))
            return self._normalise(x, outputs, inputs)
        x, kernel = self._operands(x, layer, to_subpixel(weight))
        x = ops.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
        # Bias and ReLU before depth-to-space, so that they are fused into the convolution.
        x = self._leaky(ops.add(x, _constant(np.tile(bias, (1, 4, 1, 1)))))
        x = ops.depth_to_space(x, "blocks_first", 2)
        first, last, step = (_constant(np.array([value, value])) for value in (1, -1, 1))
        x = ops.slice(x, first, last, step, _constant(np.array([2, 3])))
        return self._normalise(x, outputs, inputs)

    def _operands(self, x: ov.Node, layer: str, kernel: Tensor) -> tuple[ov.Node, ov.Node]:
        """The input and the kernel of a convolution, both rounded if it runs in int8."""
        self._record(x, layer, kernel)
        if layer not in self._int8_layers:
            return x, _floats(kernel)
        rounding = self._int8_layers[layer]
        divisors = np.exp2(np.array(rounding.exponents, dtype=np.float32) / 4).reshape(1, -1, 1, 1)
        low, high = _with_exact_zero(rounding.low, rounding.high)
        x = ops.fake_quantize(
            x,
            _constant(low * divisors),
            _constant(high * divisors),
            _constant(np.full((1, 1, 1, 1), low)),
            _constant(np.full((1, 1, 1, 1), high)),
            LEVELS_OF_UINT8,
        )
        values, scales = quantise(kernel * divisors)
        return x, ops.multiply(ops.convert(_constant(values), "f32"), _constant(scales))

    def _record(self, x: ov.Node, layer: str, kernel: Tensor) -> None:
        self.conv_inputs[layer] = x.output(0)
        self.kernels[layer] = kernel

    def _leaky(self, x: ov.Node) -> ov.Node:
        return ops.prelu(x, _constant(np.array([self._config.leaky_slope], dtype=np.float32)))

    def _normalise(self, x: ov.Node, channels: int, inputs: int = 1) -> ov.Node:
        """Pixel norm of x * sqrt(inputs), over its channels, divided by sqrt(channels)."""
        # x * rsqrt(mean(x^2) + eps) = sqrt(C) * x * rsqrt(sum(x^2) + C * eps)
        eps = channels * self._config.pixel_norm_eps / inputs
        return ops.normalize_l2(x, _constant(np.array([1])), eps, "add")

    def _bias(self, layer: str, inputs: int) -> NDArray[np.float32]:
        bias = self._float(f"{layer}.bias") / np.float32(math.sqrt(inputs))
        return bias.reshape(1, -1, 1, 1)

    def _float(self, name: str) -> NDArray[np.float32]:
        return self._weights[name].astype(np.float32, copy=False)

    def _shape(self, layer: str) -> tuple[int, int]:
        outputs, inputs = self._weights[f"{layer}.weight"].shape[:2]
        return int(outputs), int(inputs)


def _with_exact_zero(low: float, high: float) -> tuple[np.float32, np.float32]:
    """Shift a range so that 0, which padding adds, is one of its 256 steps."""
    step = (high - low) / (LEVELS_OF_UINT8 - 1)
    zero = round(-low / step)
    return np.float32(-zero * step), np.float32((LEVELS_OF_UINT8 - 1 - zero) * step)


def _floats(value: Tensor) -> ov.Node:
    node = _constant(value)
    # The runtime converts faster than numpy, and drops the copy once it has packed the kernel.
    return node if value.dtype == np.float32 else ops.convert(node, "f32")


def _constant(value: NDArray[np.generic]) -> ov.Node:
    # Shared, not copied: the model keeps the array alive. It must be contiguous.
    return ops.constant(np.ascontiguousarray(value), shared_memory=True)
