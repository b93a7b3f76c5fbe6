"""Kernels made for inference do what the trained ones do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from model.engines.kernels import quantise, to_subpixel, to_transposed

WEIGHT = np.random.RandomState(0).standard_normal((5, 3, 3, 3)).astype(np.float32)
X = torch.from_numpy(np.random.RandomState(1).standard_normal((1, 3, 6, 7)).astype(np.float32))
EXPECTED = F.conv2d(F.interpolate(X, scale_factor=2, mode="nearest"), torch.from_numpy(WEIGHT), padding=1)


def test_a_transposed_convolution_upsamples_and_convolves() -> None:
    generated = F.conv_transpose2d(X, torch.from_numpy(to_transposed(WEIGHT)), stride=2, padding=1)
    assert torch.allclose(generated, EXPECTED, atol=1e-5)


def test_a_subpixel_convolution_upsamples_and_convolves() -> None:
    parts = F.conv2d(X, torch.from_numpy(to_subpixel(WEIGHT)), padding=1)
    # blocks_first: [4 * O] is [2, 2, O].
    blocks = parts.reshape(1, 2, 2, 5, 7, 8).permute(0, 3, 4, 1, 5, 2).reshape(1, 5, 14, 16)
    assert torch.allclose(blocks[:, :, 1:-1, 1:-1], EXPECTED, atol=1e-5)


def test_int8_is_within_half_a_step_of_each_channels_scale() -> None:
    kernel = WEIGHT * np.array([1, 10, 100, 0.01, 0], dtype=np.float32).reshape(5, 1, 1, 1)
    values, scales = quantise(kernel)
    assert values.dtype == np.int8
    assert np.abs(values[:4]).max(axis=(1, 2, 3)).tolist() == [127] * 4
    assert (np.abs(values * scales - kernel) <= scales * 0.5001).all()
    assert not values[4].any()


@pytest.mark.parametrize("make", [to_transposed, to_subpixel])
def test_sums_are_exact_where_floats_are(make: object) -> None:
    whole = np.arange(5 * 3 * 9, dtype=np.float32).reshape(5, 3, 3, 3)
    kernel = make(whole)  # type: ignore[operator]
    assert kernel.sum() == whole.sum() * 4
    assert kernel.flags.c_contiguous
