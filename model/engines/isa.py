"""The CPU's instruction set, on which last bits and the speed of precisions depend."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Final

# From best to worst: name (as oneDNN calls it), the flags of /proc/cpuinfo that it needs.
_LEVELS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("avx512_core_amx", frozenset({"amx_tile", "amx_bf16", "amx_int8", "avx512_bf16"})),
    ("avx512_core_bf16", frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_bf16"})),
    ("avx512_core_vnni", frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"})),
    ("avx512_core", frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})),
    ("avx2_vnni", frozenset({"avx2", "fma", "avx_vnni"})),
    ("avx2", frozenset({"avx2", "fma"})),
    ("avx", frozenset({"avx"})),
    ("sse41", frozenset({"sse4_1"})),
)
CAP_VARIABLE: Final = "ONEDNN_MAX_CPU_ISA"


@cache
def cpu_flags() -> frozenset[str]:
    """The CPU's feature flags, as Linux names them; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def instruction_set(flags: frozenset[str] | None = None, cap: str | None = None) -> str:
    """The best instruction set that the runtime may use.

    Args:
        flags: CPU flags; default: this machine's.
        cap: oneDNN's name of the best one allowed; default: ONEDNN_MAX_CPU_ISA.
    Returns:
        oneDNN's name on x86, e.g. "avx512_core_bf16"; else the machine's name, e.g. "aarch64".
    """
    flags = cpu_flags() if flags is None else flags
    allowed = [name for name, needed in _LEVELS if needed <= flags]
    if not allowed:
        return platform.machine().lower() or "unknown"
    cap = (os.environ.get(CAP_VARIABLE, "") if cap is None else cap).lower()
    names = [name for name, _ in _LEVELS]
    if cap in names:
        below = names[names.index(cap) :]
        allowed = [name for name in allowed if name in below] or allowed[-1:]
    return allowed[0]
