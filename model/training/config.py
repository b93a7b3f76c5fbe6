"""The config of a training run: a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.config import GeneratorConfig
from model.errors import CheckpointError
from model.training.errors import TrainingConfigError

Positive = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phase(_Table):
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


class LossConfig(_Table):
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


class LearningRateChange(_Table):
    """Another learning rate from some point of a run on.

    Args:
        at_kimg: thousands of real images shown when it begins to hold.
        learning_rate: from there to the next change.
    """

    at_kimg: float = Field(ge=0)
    learning_rate: Positive


class TeacherWeights(_Table):
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


Change = TypeVar("Change", LearningRateChange, TeacherChange)


def _latest(changes: Sequence[Change], images: int) -> Change | None:
    past = [change for change in changes if images >= change.at_kimg * 1000]
    return past[-1] if past else None


def _refuse_disorder(changes: Sequence[LearningRateChange | TeacherChange], what: str) -> None:
    if any(later.at_kimg <= earlier.at_kimg for earlier, later in pairwise(changes)):
        raise ValueError(f"changes of {what} must come in the order of their at_kimg")


class OptimiserConfig(_Table):
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


class TrainingConfig(_Table):
    """A training run.

    Args:
        name: name of the model that comes out.
        resolution: final height and width in pixels.
        channels: feature maps from 4x4 up to the resolution, for both networks.
        latent_size: length of a latent vector.
        data: folder of images, or uint8 .npy/.npz files; `--data` beats it.
        training_data: what the images are, in words; goes into the checkpoint.
        licence: licence of the weights.
        seconds_per_image: nominal serving time on one vCPU; goes into the checkpoint.
        seed: of the weights, latents, flips and data order.
        mirror: flip half of the real images left to right.
        stddev_group: images per group of the minibatch standard deviation.
        ema_kimg: half-life of the averaged generator, in thousands of images.
        discriminator_alone_kimg: where a run begins with a checkpoint, and with no discriminator that was
            trained with it: thousands of real images before the generator moves. One that knows nothing yet
            spoils it.
        precision: "bf16" (penalties stay in fp32) or "fp32".
        device: "auto" takes CUDA where there is one.
        threads: CPU threads within an operation; 0 leaves torch's own choice.
        compile: fuse the generator's activations with torch.compile: some 15% faster; needs a C++ compiler.
        save_minutes: between saved states.
        sheet_kimg: between sample sheets.
        teacher: for runs with `--teacher`.
        phases: the schedule, from 4x4 up to the resolution.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    resolution: int
    channels: tuple[int, ...]
    latent_size: int = 128
    data: Path | None = None
    training_data: str
    licence: str = "Apache-2.0"
    seconds_per_image: Positive = 0.05
    seed: int = Field(default=0, ge=0, lt=2**63)
    mirror: bool = True
    stddev_group: int = Field(default=8, ge=1)
    ema_kimg: Positive = 5.0
    discriminator_alone_kimg: float = Field(default=8.0, ge=0)
    precision: Literal["bf16", "fp32"] = "bf16"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    compile: bool = False
    save_minutes: Positive = 3.0
    sheet_kimg: Positive = 10.0
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    teacher: TeacherConfig | None = None
    phases: tuple[Phase, ...] = Field(alias="phase", min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.generator_config(0.0)
        wanted = [4 << level for level in range(len(self.channels))]
        found = [phase.resolution for phase in self.phases]
        if found != wanted:
            raise ValueError(f"the phases' resolutions must be {wanted}, not {found}")
        if self.phases[0].fade_kimg:
            raise ValueError("the first phase has nothing to fade in from: fade_kimg must be 0")
        return self

    @property
    def total_images(self) -> int:
        """Real images that the whole schedule shows."""
        return round(sum(phase.fade_kimg + phase.stable_kimg for phase in self.phases) * 1000)

    def generator_config(self, kimg: float) -> GeneratorConfig:
        """The config that the exported checkpoint carries.

        Args:
            kimg: thousands of real images shown so far.
        """
        try:
            return GeneratorConfig(
                name=self.name,
                resolution=self.resolution,
                latent_size=self.latent_size,
                channels=self.channels,
                licence=self.licence,
                training_data=self.training_data,
                training_kimg=kimg,
                seconds_per_image=self.seconds_per_image,
            )
        except ValidationError as error:
            raise ValueError(_explain(error)) from None


def load_training_config(path: Path) -> TrainingConfig:
    """Read a run's config.

    Raises:
        TrainingConfigError: unreadable, not TOML, or a value is missing or out of range.
    """
    try:
        return TrainingConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingConfigError(f"{path}: not TOML: {error}") from None
    except (ValidationError, CheckpointError) as error:
        text = _explain(error) if isinstance(error, ValidationError) else str(error)
        raise TrainingConfigError(f"{path}: {text}") from None


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
