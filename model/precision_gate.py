"""The precision gate: the measured deviation of lower precisions from fp32, stored in the checkpoint.

It is part of the checkpoint, and so of its digest, because pixels depend on it: two workers with the same
digest round alike. `model.engines.measure_precision` measures it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIN_PSNR_DB: Final = 40.0
"""Minimum PSNR against fp32, over all measured seeds, that `auto` accepts."""

LowPrecision = Literal["bf16", "int8"]
Exponent = Annotated[int, Field(ge=-64, le=64)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ActivationRange(_Frozen):
    """How the input of one convolution is rounded to uint8.

    Channels differ in range, so each is divided by 2 ** (exponent / 4) and the kernel multiplied by it: the
    error moves from the activations to the weights, which tolerate it (SmoothQuant, arXiv:2211.10438).

    Args:
        low: lower end of the range of divided activations, at most 0.
        high: its upper end, above low.
        exponents: one for each input channel, in quarters of a power of two.
    """

    low: float = Field(le=0)
    high: float = Field(gt=0)
    exponents: tuple[Exponent, ...] = Field(min_length=1, max_length=2048)


class PrecisionFigures(_Frozen):
    """The figures of one precision against fp32 on the same machine.

    Args:
        psnr_min_db: minimum over the seeds, on uint8 images.
        psnr_mean_db: their mean.
        relative_time: time of an image divided by that in fp32.
    """

    psnr_min_db: float
    psnr_mean_db: float
    relative_time: float = Field(gt=0)


class PrecisionGate(_Frozen):
    """The measured precisions of a checkpoint.

    Args:
        seeds: images compared.
        engine: engine and version that were measured.
        isa: instruction set that was measured.
        precisions: figures of each precision.
        int8_layers: convolutions that run in int8, by name ("blocks.3.conv0"); the others run in floats.
    """

    seeds: int = Field(ge=1)
    engine: str = Field(max_length=80)
    isa: str = Field(max_length=80)
    precisions: dict[LowPrecision, PrecisionFigures]
    int8_layers: dict[str, ActivationRange] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _int8_has_layers(self) -> Self:
        if "int8" in self.precisions and not self.int8_layers:
            raise ValueError("int8 was measured, but no layer runs in it")
        return self

    def accepts(self, precision: LowPrecision) -> bool:
        """Whether a precision is close enough to fp32 for `auto`."""
        return precision in self.precisions and self.precisions[precision].psnr_min_db >= MIN_PSNR_DB

    def fastest_first(self) -> list[LowPrecision]:
        """Accepted precisions that are faster than fp32, fastest first."""
        accepted = [name for name in self.precisions if self.accepts(name)]
        ranked = sorted(accepted, key=lambda name: self.precisions[name].relative_time)
        return [name for name in ranked if self.precisions[name].relative_time < 1]
