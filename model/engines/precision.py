"""Which precision an engine runs in: what was asked for, what the CPU runs well, what the model bears."""

from __future__ import annotations

from typing import Final

from model.errors import EngineError
from model.precision_gate import PrecisionGate

_BF16: Final = ("avx512_core_bf16", "avx512_core_amx")
# Without VNNI, products of uint8 and int8 are summed in 16 bits, which overflow.
_INT8: Final = ("avx512_core_vnni", *_BF16)


def runs_bf16(isa: str) -> bool:
    """Whether the CPU multiplies bf16 itself; where it must emulate it, bf16 is several times slower."""
    return isa in _BF16


def runs_int8(isa: str) -> bool:
    """Whether the CPU sums products of uint8 and int8 in 32 bits."""
    return isa in _INT8


def choose_precision(asked: str, gate: PrecisionGate | None, isa: str) -> str:
    """Choose a precision.

    Args:
        asked: "auto", "fp32", "bf16" or "int8".
        gate: what was measured of the checkpoint; None: nothing was.
        isa: what `model.engines.isa.instruction_set` says.
    Returns:
        "fp32", "bf16" or "int8".
    Raises:
        EngineError: a precision was asked for by name that cannot run here.
    """
    if asked == "auto":
        for precision in gate.fastest_first() if gate else []:
            if runs_bf16(isa) if precision == "bf16" else runs_int8(isa):
                return precision
        return "fp32"
    if asked == "bf16" and not runs_bf16(isa):
        raise EngineError(
            f"bf16 needs a CPU with AVX512_BF16 or AMX, this one runs as {isa}; ask for fp32 or auto"
        )
    if asked == "int8" and not runs_int8(isa):
        raise EngineError(f"int8 needs a CPU with AVX512_VNNI, this one runs as {isa}; ask for fp32 or auto")
    if asked == "int8" and not (gate and gate.int8_layers):
        raise EngineError("this checkpoint has no int8 figures: measure them with `diptych model gate`")
    return asked
