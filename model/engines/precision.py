"""Choose the precision of an engine from the request, the CPU and the model's precision gate."""

from __future__ import annotations

from typing import Final

from model.errors import EngineError
from model.precision_gate import PrecisionGate

_BF16: Final = ("avx512_core_bf16", "avx512_core_amx")
# Without VNNI, products of uint8 and int8 are summed in 16 bits, which overflow.
_INT8: Final = ("avx512_core_vnni", *_BF16)


def runs_bf16(isa: str) -> bool:
    """Whether the CPU has bf16 instructions; emulated, bf16 is several times slower."""
    return isa in _BF16


def runs_int8(isa: str) -> bool:
    """Whether the CPU sums products of uint8 and int8 in 32 bits."""
    return isa in _INT8


def choose_precision(requested: str, gate: PrecisionGate | None, isa: str) -> str:
    """Choose a precision.

    Args:
        requested: "auto", "fp32", "bf16" or "int8".
        gate: the checkpoint's precision gate; None: not measured.
        isa: see `model.engines.isa.instruction_set`.
    Returns:
        "fp32", "bf16" or "int8".
    Raises:
        EngineError: the requested precision cannot run here.
    """
    if requested == "auto":
        for precision in gate.fastest_first() if gate else []:
            if runs_bf16(isa) if precision == "bf16" else runs_int8(isa):
                return precision
        return "fp32"
    if requested == "bf16" and not runs_bf16(isa):
        raise EngineError(f"bf16 needs a CPU with AVX512_BF16 or AMX, this one is {isa}; use fp32 or auto")
    if requested == "int8" and not runs_int8(isa):
        raise EngineError(f"int8 needs a CPU with AVX512_VNNI, this one is {isa}; use fp32 or auto")
    if requested == "int8" and not (gate and gate.int8_layers):
        raise EngineError("this checkpoint has no int8 figures: measure them with `diptych model gate`")
    return requested
