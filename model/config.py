"""The config of a generator, stored inside its checkpoint."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import CheckpointError
from model.precision_gate import PrecisionGate

SCHEMA: Final = "diptych.checkpoint/1"
MIN_RESOLUTION = 4
MAX_RESOLUTION = 1024

Channels = Annotated[int, Field(ge=1, le=2048)]


class GeneratorConfig(BaseModel):
    """The architecture and provenance of a Progressive GAN generator (Karras et al. 2018, arXiv:1710.10196).

    Args:
        name: registered name, matches [a-z0-9][a-z0-9-]{0,62}.
        resolution: height and width in pixels, a power of two in 4..1024.
        latent_size: length of a latent vector.
        channels: feature maps of each level from 4x4 up to the resolution.
        leaky_slope: slope of the leaky ReLUs below zero.
        pixel_norm_eps: added to the mean square before its root.
        licence: licence of the weights.
        training_data: description of the training data.
        training_kimg: thousands of real images shown in training.
        seconds_per_image: nominal time of one image on one vCPU, in seconds.
        gate: the measured deviation of lower precisions from fp32; None if not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    schema_version: Literal["diptych.checkpoint/1"] = Field(default=SCHEMA, alias="schema")
    family: Literal["pgan"] = "pgan"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    resolution: int = Field(ge=MIN_RESOLUTION, le=MAX_RESOLUTION)
    latent_size: int = Field(ge=1, le=4096)
    channels: tuple[Channels, ...]
    leaky_slope: float = Field(default=0.2, ge=0, lt=1)
    pixel_norm_eps: float = Field(default=1e-8, gt=0, le=1e-2)
    licence: str = Field(default="Apache-2.0", min_length=1, max_length=200)
    training_data: str = Field(default="", max_length=2000)
    training_kimg: float = Field(default=0.0, ge=0)
    seconds_per_image: float = Field(default=0.05, gt=0, le=3600)
    gate: PrecisionGate | None = None

    @model_validator(mode="after")
    def _shape_fits(self) -> Self:
        if self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution {self.resolution} is not a power of two")
        levels = int(math.log2(self.resolution)) - 1
        if len(self.channels) != levels:
            raise ValueError(
                f"resolution {self.resolution} needs {levels} channel counts, not {len(self.channels)}"
            )
        return self

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that a checkpoint with this config holds, in generating order."""
        first, last = self.channels[0], self.channels[-1]
        shapes: dict[str, tuple[int, ...]] = {
            "input.weight": (first * 16, self.latent_size),
            "input.bias": (first * 16,),
            "blocks.0.conv.weight": (first, first, 3, 3),
            "blocks.0.conv.bias": (first,),
        }
        for level in range(1, len(self.channels)):
            before, here = self.channels[level - 1], self.channels[level]
            shapes[f"blocks.{level}.conv0.weight"] = (here, before, 3, 3)
            shapes[f"blocks.{level}.conv0.bias"] = (here,)
            shapes[f"blocks.{level}.conv1.weight"] = (here, here, 3, 3)
            shapes[f"blocks.{level}.conv1.bias"] = (here,)
        shapes["to_rgb.weight"] = (3, last, 1, 1)
        shapes["to_rgb.bias"] = (3,)
        return shapes

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())

    def to_json(self) -> str:
        """The config as compact JSON, as stored in checkpoints."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str) -> GeneratorConfig:
        """Parse a config.

        Raises:
            CheckpointError: not JSON, another schema, or a field out of range.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "config"
            raise CheckpointError(f"bad generator config: {where}: {first['msg']}") from None
