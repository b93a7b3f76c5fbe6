"""Sheets that go with a model's report: figures cannot see a broken mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from model.training.errors import TrainingError
from model.training.evaluation import metrics
from model.training.evaluation.metrics import Images
from model.training.reuse.discriminator_file import open_discriminator

SHOWN = 16
COLUMNS = 8
BATCH = 16


def neighbour_sheet(generated: Images, real: Images) -> tuple[Images, int]:
    """The generated images that come closest to a real one, each beside it: for eyes to judge.

    Args:
        generated: uint8 RGB [N, R, R, 3].
        real: uint8 RGB [M, R, R, 3], those it was trained on.
    Returns:
        uint8 [2 * min(N, 16), R, R, 3], generated and real in turn, and the columns to lay them out in.
    """
    indices, differences = metrics.nearest_neighbours(generated, real)
    closest = np.argsort(differences)[:SHOWN]
    pairs = np.stack([generated[closest], real[indices[closest]]], axis=1)
    return pairs.reshape(-1, *generated.shape[1:]), COLUMNS


class Judge:
    """A discriminator's file as a judge of single images.

    Args:
        path: what `diptych model export --discriminator` wrote.
        resolution: of the images, in pixels.
    Raises:
        CheckpointError: the file cannot be read.
        TrainingError: it is of another resolution.
    """

    def __init__(self, path: Path, resolution: int) -> None:
        # Groups of one, so that a score depends on no neighbour.
        self._network, _ = open_discriminator(path, stddev_group=1)
        self._level = len(self._network.channels) - 1
        if 4 << self._level != resolution:
            raise TrainingError(f"{path}: judges images of {4 << self._level} px, not of {resolution}")

    @torch.inference_mode()
    def worst_sheet(self, generated: Images) -> tuple[Images, int]:
        """The generated images with the lowest scores, the worst first.

        Args:
            generated: uint8 RGB [N, R, R, 3].
        Returns:
            uint8 [min(N, 16), R, R, 3], and the columns to lay them out in.
        """
        scores: list[float] = []
        for start in range(0, len(generated), BATCH):
            x = torch.from_numpy(generated[start : start + BATCH].copy()).permute(0, 3, 1, 2).float()
            scores += self._network(x / 127.5 - 1, self._level).flatten().tolist()
        return generated[np.argsort(scores, kind="stable")[:SHOWN]], COLUMNS
