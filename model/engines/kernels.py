"""Kernels for inference, derived from trained ones: with fused upsampling, or rounded to int8.

Sums are written out in numpy, in a fixed order: a BLAS may use another on another CPU and change last bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.protocol import Tensor

INT8_MAX = 127


class QuantisedKernel(NamedTuple):
    """A kernel in int8.

    Args:
        values: int8 [O, I, H, W], within -127..127.
        scales: float32 [O, 1, 1, 1]; the kernel is about values * scales.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]


def fuse_upsampling(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fuse nearest upsampling by 2 into the 3x3 convolution that follows it.

    With y[o] = x[o // 2], tap k of the convolution reads x[i] at distance d = o - 2i of 1 - k or 2 - k, so
    the kernel of the transposed convolution (stride 2, padding 1) has weight[1 - d] + weight[2 - d] at d + 1.

    Args:
        weight: [O, I, 3, 3].
    Returns:
        [4, 4, O * I], taps first: 16 multiplications per input pixel instead of 36.
    """
    taps = np.ascontiguousarray(weight.reshape(-1, 9).T).reshape(3, 3, -1)
    fused = np.empty((4, 4, taps.shape[2]), dtype=np.float32)
    for place, row in enumerate((taps[2], taps[1] + taps[2], taps[0] + taps[1], taps[0])):
        fused[place, 0] = row[2]
        np.add(row[1], row[2], out=fused[place, 1])
        np.add(row[0], row[1], out=fused[place, 2])
        fused[place, 3] = row[0]
    return fused


def to_transposed(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fused kernel as a transposed convolution with stride 2 and padding 1.

    Args:
        weight: [O, I, 3, 3].
    Returns:
        [I, O, 4, 4].
    """
    outputs, inputs = weight.shape[:2]
    fused = fuse_upsampling(np.ascontiguousarray(weight.transpose(1, 0, 2, 3)))
    return np.ascontiguousarray(fused.reshape(16, -1).T).reshape(inputs, outputs, 4, 4)


def to_subpixel(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fused kernel as a plain 2x2 convolution with one output for each of the 4 subpixels.

    Run with padding 1, its position j holds what belongs to the odd output pixel 2j - 1, then to the even
    one 2j: depth-to-space puts them at 2j and 2j + 1, one too far, so the caller cuts one off each side.

    Args:
        weight: [O, I, 3, 3].
    Returns:
        [4 * O, I, 2, 2], in the order of DepthToSpace's blocks_first.
    """
    outputs, inputs = weight.shape[:2]
    fused = fuse_upsampling(weight)
    kernel = np.empty((4, outputs * inputs, 4), dtype=np.float32)
    odd, even = (2, 0), (3, 1)
    parts = [(rows, columns) for rows in (odd, even) for columns in (odd, even)]
    for part, (rows, columns) in enumerate(parts):
        for tap, place in enumerate((row, column) for row in rows for column in columns):
            kernel[part, :, tap] = fused[place]
    return kernel.reshape(4 * outputs, inputs, 2, 2)


def quantise(kernel: Tensor) -> QuantisedKernel:
    """Round a kernel to int8, with one scale per output channel.

    Args:
        kernel: [O, I, H, W].
    """
    flat = kernel.reshape(len(kernel), -1)
    largest = np.maximum(flat.max(axis=1), -flat.min(axis=1))
    # A channel of only zeros may have any scale.
    scales = np.where(largest > 0, largest, np.float32(1)) / np.float32(INT8_MAX)
    steps = flat / scales[:, None]
    values = np.rint(steps, out=steps).astype(np.int8).reshape(kernel.shape)
    return QuantisedKernel(values, scales.astype(np.float32).reshape(-1, 1, 1, 1))
