"""The walk stays on the sphere, at an even pace."""

from __future__ import annotations

import numpy as np

from model.interpolation import walk
from model.seeds import latents

STOPS = latents([1, 2, 3], 64)


def test_an_open_walk_begins_and_ends_at_its_stops() -> None:
    rows = walk(STOPS, 5, closed=False)
    assert rows.shape == (11, 64)
    assert rows.dtype == np.float32
    for row, stop in zip(rows[::5], STOPS, strict=True):
        assert np.allclose(row / np.linalg.norm(row), stop / np.linalg.norm(stop), atol=1e-6)


def test_a_closed_walk_comes_back_without_a_repeat() -> None:
    rows = walk(STOPS, 5, closed=True)
    assert rows.shape == (15, 64)
    assert len(np.unique(rows, axis=0)) == 15


def test_steps_are_even_and_on_the_sphere() -> None:
    rows = walk(STOPS[:2], 8, closed=False)
    assert np.allclose(np.linalg.norm(rows, axis=1), 8.0, rtol=1e-5)
    strides = np.linalg.norm(np.diff(rows, axis=0), axis=1)
    assert np.allclose(strides, strides[0], rtol=1e-3)


def test_a_walk_between_equal_stops_stands_still() -> None:
    rows = walk(np.repeat(STOPS[:1], 2, axis=0), 3, closed=False)
    assert np.allclose(rows, rows[0], rtol=1e-5)
