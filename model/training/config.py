"""The config of a training run: a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from model.config import Channels, GeneratorConfig
from model.errors import CheckpointError
from model.training.config_tables import (
    FEATURE_STRIDE,
    LossConfig,
    OptimiserConfig,
    Phase,
    Positive,
    ProjectedConfig,
    ProjectedWeights,
    Table,
    TeacherConfig,
)
from model.training.errors import TrainingConfigError


class TrainingConfig(Table):
    """A training run.

    Args:
        name: name of the model that comes out.
        resolution: final height and width in pixels.
        channels: feature maps from 4x4 up to the resolution.
        discriminator_channels: the discriminator's, where they are others: a narrow one costs less.
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
        projected: for a second discriminator, from 32 px on, that looks through a finished classifier.
        phases: the schedule, from 4x4 up to the resolution.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    resolution: int
    channels: tuple[int, ...]
    discriminator_channels: tuple[Channels, ...] = ()
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
    projected: ProjectedConfig | None = None
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
        if self.discriminator_channels and len(self.discriminator_channels) != len(self.channels):
            raise ValueError(f"discriminator_channels needs {len(self.channels)} counts, as channels has")
        if self.projected is not None and self.resolution < FEATURE_STRIDE:
            raise ValueError(
                f"projected: images of {self.resolution} px are smaller than the stride of "
                f"{self.projected.features}'s features, {FEATURE_STRIDE} px: leave [projected] out"
            )
        return self

    @property
    def critic_channels(self) -> tuple[int, ...]:
        """The discriminator's feature maps from 4x4 up to the resolution."""
        return self.discriminator_channels or self.channels

    @property
    def total_images(self) -> int:
        """Real images that the whole schedule shows."""
        return round(sum(phase.fade_kimg + phase.stable_kimg for phase in self.phases) * 1000)

    def discriminator_weights(self, resolution: int, images: int) -> ProjectedWeights:
        """Which discriminators have a say in a step.

        Args:
            resolution: of its images; pixels alone count where the projected one's features cannot look.
            images: real images shown before it.
        """
        if self.projected is None or resolution < FEATURE_STRIDE:
            return ProjectedWeights(weight=0.0, pixel_weight=1.0)
        return self.projected.weights_at(images)

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
