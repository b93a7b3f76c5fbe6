"""The order in which a run shows its images: a fresh shuffle per epoch, resumable anywhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class DataOrder:
    """An endless stream of indices that visits every image once per epoch.

    Args:
        count: number of images.
        seed: of the shuffles.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self._rng = torch.Generator().manual_seed(seed)
        self._permutation = torch.empty(0, dtype=torch.int64)
        self._next = 0

    def take(self, count: int) -> Tensor:
        """The next indices.

        Returns:
            int64 [count].
        """
        parts: list[Tensor] = []
        while count > 0:
            if self._next >= len(self._permutation):
                self._permutation = torch.randperm(self.count, generator=self._rng)
                self._next = 0
            part = self._permutation[self._next : self._next + count]
            parts.append(part)
            self._next += len(part)
            count -= len(part)
        return torch.cat(parts)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what comes next."""
        return {
            "count": self.count,
            "rng": self._rng.get_state(),
            "permutation": self._permutation,
            "next": self._next,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another order stood; over another number of images, only its randomness goes on."""
        self._rng.set_state(state["rng"])
        if state["count"] == self.count:
            self._permutation = state["permutation"]
            self._next = int(state["next"])
