"""A model's report: its images against real ones, with real against real as the yardstick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.training.errors import DatasetError, TrainingError
from model.training.evaluation import metrics, unseen_network
from model.training.evaluation.metrics import Images


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over several splits.

    Args:
        mean: over the splits.
        spread: standard deviation over them, 0 of one alone.
    """

    mean: float
    spread: float

    def text(self, digits: int) -> str:
        """Mean ± spread, with so many digits after the point."""
        return f"{self.mean:.{digits}f} ± {self.spread:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Quality:
    """How a model's images compare with real ones.

    Args:
        images: generated images that were measured in a split, and real ones in each half.
        splits: how often: each with other generated images, and the real ones halved otherwise.
        face_rate: share of generated images with a face that OpenCV finds, 0..1.
        face_rate_real: the same of real ones.
        kid: KID-EffNet times 1000, generated against real.
        kid_real: one half of the real ones against the other; about 0.
        kid_unseen: KID times 1000 on the features of a network that training never looks through.
        kid_unseen_real: one half of the real ones against the other; about 0.
        precision: share of generated images that lie among the real ones, by that network's features.
        precision_real: the same of one half of the real ones.
        recall: share of real images that lie among the generated ones.
        recall_real: the same among one half of the real ones.
        swd: resolution in px to sliced Wasserstein distance times 1000, generated against real.
        swd_real: one half of the real ones against the other.
        nearest_median: median root mean square difference to the nearest real image, 0..255.
        nearest_median_real: the same from each half's images to the other half.
    """

    images: int
    splits: int
    face_rate: Figure
    face_rate_real: Figure
    kid: Figure
    kid_real: Figure
    kid_unseen: Figure
    kid_unseen_real: Figure
    precision: Figure
    precision_real: Figure
    recall: Figure
    recall_real: Figure
    swd: Mapping[int, Figure]
    swd_real: Mapping[int, Figure]
    nearest_median: Figure
    nearest_median_real: Figure

    def rows(self) -> list[tuple[str, str, str]]:
        """A table: what, of the model, of real against real."""
        rows = [
            ("faces found", self.face_rate, self.face_rate_real, 3),
            ("KID-EffNet x1000", self.kid, self.kid_real, 1),
            ("KID-ResNet x1000, never trained through", self.kid_unseen, self.kid_unseen_real, 1),
            ("precision", self.precision, self.precision_real, 3),
            ("recall", self.recall, self.recall_real, 3),
            ("nearest real, RMS of 255", self.nearest_median, self.nearest_median_real, 1),
        ]
        for resolution, distance in self.swd.items():
            label = f"sliced Wasserstein x1000, {resolution} px"
            rows.append((label, distance, self.swd_real[resolution], 1))
        return [(label, ours.text(digits), theirs.text(digits)) for label, ours, theirs, digits in rows]


def check_measurable(count: int, real: int, resolution: int) -> None:
    """Refuse what `measure` cannot do, before an image is generated for it.

    Args:
        count: generated images.
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


def measure(generate: Callable[[int], Images], real: Images, count: int, splits: int = 1) -> Quality:
    """Measure a model.

    Args:
        generate: gives a split's generated images, uint8 RGB [count, R, R, 3]; each split others.
        real: uint8 RGB [2 * count, R, R, 3] or more, best not those it was trained on.
        count: generated images in a split.
        splits: how many.
    Raises:
        DatasetError, TrainingError: as `check_measurable`.
    """
    rows: list[dict[str, float]] = []
    for split in range(splits):
        # Files come in the order of their names, which may be that of a kind: shuffle, but as last time.
        order = np.random.default_rng(split).permutation(len(real))
        generated = generate(split)
        check_measurable(count, len(real), generated.shape[1])
        rows.append(_measure(generated, real[order[:count]], real[order[count : 2 * count]]))
    figures = {name: _figure([row[name] for row in rows]) for name in rows[0]}
    levels = [int(name.removeprefix("swd ")) for name in figures if name.startswith("swd ")]
    return Quality(
        images=count,
        splits=splits,
        swd={level: figures.pop(f"swd {level}") for level in levels},
        swd_real={level: figures.pop(f"swd_real {level}") for level in levels},
        **figures,
    )


def _measure(generated: Images, first: Images, second: Images) -> dict[str, float]:
    """One split's figures, by the names of `Quality`'s; a level's end in its resolution."""
    row: dict[str, float] = {}
    known, unseen = metrics.features(first), unseen_network.features(first)
    # The real ones' second half stands where the generated ones do.
    for suffix, ours in (("", generated), ("_real", second)):
        row[f"face_rate{suffix}"] = metrics.face_rate(ours)
        row[f"kid{suffix}"] = metrics.kernel_distance(metrics.features(ours), known)
        seen = unseen_network.features(ours)
        row[f"kid_unseen{suffix}"] = metrics.kernel_distance(seen, unseen)
        precision, recall = metrics.precision_recall(unseen, seen)
        row[f"precision{suffix}"], row[f"recall{suffix}"] = precision, recall
        for level, distance in metrics.sliced_wasserstein(ours, first).items():
            row[f"swd{suffix} {level}"] = distance
        row[f"nearest_median{suffix}"] = float(np.median(metrics.nearest_neighbours(ours, first)[1]))
    return row


def _figure(values: Sequence[float]) -> Figure:
    return Figure(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
