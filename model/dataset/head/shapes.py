"""Deforming the bust: a weighted sum of shape targets, as one sparse product."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy import sparse

from model.dataset.assets import Floats, HeadAssets, load_assets


class ShapeBank:
    """All targets of the bust as the rows of one sparse matrix [targets, 3 V]."""

    def __init__(self, assets: HeadAssets) -> None:
        self.names = tuple(assets.targets)
        self._row = {name: row for row, name in enumerate(self.names)}
        self._rest = assets.rest
        counts = [3 * len(index) for index, _ in assets.targets.values()]
        columns = np.concatenate(
            [(3 * index[:, None] + np.arange(3)).ravel() for index, _ in assets.targets.values()]
        )
        values = np.concatenate([offset.ravel() for _, offset in assets.targets.values()])
        starts = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(self.names), assets.rest.size)
        self._matrix = sparse.csr_matrix((values, columns, starts), shape=shape).T.tocsr()

    def __contains__(self, name: str) -> bool:
        return name in self._row

    def deform(self, weights: Mapping[str, float]) -> Floats:
        """The bust under a mix of targets.

        Args:
            weights: weight per target name; 1 is the target as it was sculpted.
        Returns:
            float32 vertices [V, 3].
        Raises:
            KeyError: no target of that name.
        """
        dense = np.zeros(len(self.names), dtype=np.float32)
        for name, weight in weights.items():
            dense[self._row[name]] += weight
        offsets: Floats = (self._matrix @ dense).reshape(-1, 3).astype(np.float32)
        return self._rest + offsets


@lru_cache(maxsize=1)
def load_shapes() -> ShapeBank:
    """The bank of the installed assets, built once per process."""
    return ShapeBank(load_assets())
