"""A model's report: its images against real ones, with real against real as the yardstick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.training import metrics
from model.training.errors import DatasetError, TrainingError
from model.training.metrics import Images

NEAREST_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Quality:
    """How a model's images compare with real ones.

    Args:
        images: painted images that were measured, and real ones in each half.
        face_rate: share of painted images with a face that OpenCV finds, 0..1.
        face_rate_real: the same of real ones.
        kid: KID-EffNet times 1000, painted against real.
        kid_real: one half of the real ones against the other; about 0.
        swd: resolution in px to sliced Wasserstein distance times 1000, painted against real.
        swd_real: one half of the real ones against the other.
        nearest_median: median root mean square difference to the nearest real image, 0..255.
        nearest_median_real: the same from each half's images to the other half.
    """

    images: int
    face_rate: float
    face_rate_real: float
    kid: float
    kid_real: float
    swd: Mapping[int, float]
    swd_real: Mapping[int, float]
    nearest_median: float
    nearest_median_real: float


def check_measurable(count: int, real: int, resolution: int) -> None:
    """Refuse what `measure` cannot do, before an image is painted for it.

    Args:
        count: painted images.
        real: real images.
        resolution: of both, in pixels.
    Raises:
        DatasetError: too few real images.
        TrainingError: images too small for the patches, or not to be halved; or the `quality` extra is not
            installed.
    """
    if real < 2 * count:
        raise DatasetError(f"{count} generated images need {2 * count} real ones to compare with, not {real}")
    if not metrics.has_pyramid(resolution):
        raise TrainingError(
            f"images of {resolution} px cannot be measured: {metrics.PATCH_SIDE} px or more are wanted,"
            f" to be halved down to {metrics.SMALLEST_LEVEL} or less"
        )
    metrics.check_installed()


def measure(painted: Images, real: Images) -> Quality:
    """Measure a model.

    Args:
        painted: uint8 RGB [N, R, R, 3].
        real: uint8 RGB [2 * N, R, R, 3] or more, best not those it was trained on.
    Raises:
        DatasetError, TrainingError: as `check_measurable`.
    """
    count = len(painted)
    check_measurable(count, len(real), painted.shape[1])
    first, second = real[:count], real[count : 2 * count]
    ours, theirs, others = (metrics.features(part) for part in (painted, first, second))
    return Quality(
        images=count,
        face_rate=metrics.face_rate(painted),
        face_rate_real=metrics.face_rate(first),
        kid=metrics.kernel_distance(ours, theirs),
        kid_real=metrics.kernel_distance(theirs, others),
        swd=metrics.sliced_wasserstein(painted, first),
        swd_real=metrics.sliced_wasserstein(first, second),
        nearest_median=_nearest_median(painted, first),
        nearest_median_real=_nearest_median(second, first),
    )


def neighbour_sheet(painted: Images, real: Images) -> tuple[Images, int]:
    """The painted images that come closest to a real one, each beside it: for eyes to judge.

    Args:
        painted: uint8 RGB [N, R, R, 3].
        real: uint8 RGB [M, R, R, 3], those it was trained on.
    Returns:
        uint8 [2 * min(N, 16), R, R, 3], painted and real in turn, and the columns to lay them out in.
    """
    indices, differences = metrics.nearest_neighbours(painted, real)
    closest = np.argsort(differences)[:NEAREST_SHOWN]
    pairs = np.stack([painted[closest], real[indices[closest]]], axis=1)
    return pairs.reshape(-1, *painted.shape[1:]), 8


def _nearest_median(images: Images, real: Images) -> float:
    return float(np.median(metrics.nearest_neighbours(images, real)[1]))
