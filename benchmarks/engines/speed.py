"""Engines side by side: images per second to the finished PNG, start, memory, quality; and PNG encoders.

python -m benchmarks.engines.speed [--sizes 64 128] [--model faces-64] [--rounds 3] [--zoo CHECKOUT] [--json]

Every figure is from a process of its own, on one core; the engines take turns, round by round, so that a
busy machine slows all alike, and the best round counts. `x` is the ratio to the reference: the zoo's
generator, if a checkout is given, else our torch engine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.engines.png_encoders import compare_encoders
from benchmarks.engines.random_models import CHANNELS, giga_macs, random_model
from model.calibration import calibration_file
from model.checkpoint import read_header
from model.engines.isa import instruction_set
from model.engines.load import load_engine
from model.engines.precision import runs_bf16, runs_int8
from model.registry import ModelInfo, Registry

TUNED_MALLOC: Final = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592"}
LANES: Final = {"fp32": 1, "bf16": 2, "int8": 4}
"""Products per instruction against fp32, which turn the measured fp32 peak into the others'."""


@dataclass(frozen=True, slots=True)
class Case:
    """One engine in one setting.

    Args:
        label: what the table calls it.
        engine: "openvino", "torch" or "zoo".
        precision: "fp32", "bf16", "int8".
        threads: inference threads.
        tuned_malloc: run with glibc told to keep large blocks, a known help for torch.
    """

    label: str
    engine: str
    precision: str
    threads: int = 1
    tuned_malloc: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What the table shows of one case at one size; times are the best of all rounds.

    Args:
        x: how many times faster than the reference, in CPU time of an image, PNG included.
        peak_share: useful arithmetic per second over the core's peak in that precision.
    """

    resolution: int
    label: str
    threads: int
    image_ms: float
    images_per_s: float
    x: float
    peak_share: float
    psnr_min_db: float | None
    start_s: float
    imports_s: float
    load_s: float
    first_s: float
    peak_mb: float


def cases(checkout: Path | None) -> list[Case]:
    """What can run here; the first is the reference."""
    isa = instruction_set()
    found = [Case("zoo, eager", "zoo", "fp32"), Case("zoo, tuned malloc", "zoo", "fp32", tuned_malloc=True)]
    found = found if checkout else []
    found += [Case("torch fp32", "torch", "fp32"), Case("openvino fp32", "openvino", "fp32")]
    if runs_bf16(isa):
        found.append(Case("openvino bf16", "openvino", "bf16"))
    if runs_int8(isa):
        found.append(Case("openvino int8", "openvino", "int8"))
        found.append(Case("openvino int8", "openvino", "int8", threads=2))
    return found


def measure(info: ModelInfo, checkout: Path | None, rounds: int, images: int, seeds: int) -> list[Row]:
    """Measure every case on one model.

    Args:
        info: the model.
        checkout: the zoo's code, or None.
        rounds: turns that each case takes.
        images: images timed per turn.
        seeds: images compared for PSNR.
    """
    runs: dict[Case, list[dict[str, float]]] = {case: [] for case in _runnable(info, checkout)}
    for _ in range(rounds):
        for case, turns in runs.items():
            turns.append(_run(info, case, checkout, images))
    quality = _psnr_min_db(info, [case for case in runs if case.engine == "openvino"], seeds)
    macs = giga_macs(read_header(info.path).config, fused=True)
    peak = peak_gflops()
    best = {case: {key: min(run[key] for run in turns) for key in turns[0]} for case, turns in runs.items()}
    reference_s = next(iter(best.values()))["image_cpu_s"]
    return [_row(info, case, figures, reference_s, quality, macs, peak) for case, figures in best.items()]


def _row(
    info: ModelInfo,
    case: Case,
    figures: dict[str, float],
    reference_s: float,
    quality: dict[str, float],
    macs: float,
    peak: float,
) -> Row:
    return Row(
        resolution=info.resolution,
        label=case.label,
        threads=case.threads,
        image_ms=round(1000 * figures["image_cpu_s"], 2),
        images_per_s=round(1 / figures["image_wall_s"], 2),
        x=round(reference_s / figures["image_cpu_s"], 2),
        peak_share=round(2 * macs / figures["image_cpu_s"] / (peak * LANES[case.precision]), 2),
        psnr_min_db=quality.get(case.precision) if case.engine == "openvino" else None,
        start_s=round(figures["total_s"], 2),
        imports_s=round(figures["python_s"] + figures["imports_s"], 2),
        load_s=round(figures["load_s"], 2),
        first_s=round(figures["first_s"], 2),
        peak_mb=round(figures["peak_mb"]),
    )


def _runnable(info: ModelInfo, checkout: Path | None) -> list[Case]:
    gate = read_header(info.path).config.gate
    int8 = gate is not None and bool(gate.int8_layers)
    return [case for case in cases(checkout) if case.precision != "int8" or int8]


def _run(info: ModelInfo, case: Case, checkout: Path | None, images: int) -> dict[str, float]:
    model = [str(info.path.parent), info.name]
    arguments = [
        *model,
        case.engine,
        case.precision,
        str(case.threads),
        str(images),
    ]
    command = [sys.executable, "-m", "benchmarks.engines.engine_process", str(time.monotonic()), *arguments]
    # numpy's BLAS would start threads that a worker has no use for: workers are run without (local.services).
    workers = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | workers | (TUNED_MALLOC if case.tuned_malloc else {})
    done = subprocess.run(
        [*command, *([str(checkout)] if checkout else [])], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: {case.label} failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _psnr_min_db(info: ModelInfo, wanted: list[Case], seeds: int) -> dict[str, float]:
    """The least PSNR of each precision against our torch engine."""
    reference = load_engine(info, engine="torch", precision="fp32", threads=1)
    engines = {
        case.precision: load_engine(info, engine="openvino", precision=case.precision, threads=1)
        for case in wanted
    }
    least = dict.fromkeys(engines, 100.0)
    for seed in range(seeds):
        truth = reference.generate([seed], {}).astype(float)
        for precision, engine in engines.items():
            error = float(np.mean((engine.generate([seed], {}) - truth) ** 2))
            least[precision] = min(least[precision], 10 * np.log10(255**2 / max(error, 1e-5)))
    return {precision: round(float(value), 1) for precision, value in least.items()}


def peak_gflops() -> float:
    """fp32 peak of one core, as a large matrix product of torch's reaches it, best of ten."""
    import torch

    torch.set_num_threads(1)
    a = torch.rand(1536, 1536)
    best_s = 1e9
    for _ in range(10):
        started_s = time.process_time()
        a @ a
        best_s = min(best_s, time.process_time() - started_s)
    return 2 * 1536**3 / best_s / 1e9


def print_table(rows: list[Row]) -> None:
    """Print rows for people."""
    print(
        f"{'px':>4} {'engine':<18} {'thr':>3} {'ms/image':>9} {'images/s':>8}"
        f" {'x':>5} {'peak':>5} {'PSNR':>5}"
        f" | {'start s':>7} = {'imports':>7} {'load':>5} {'first':>5} | {'MB':>5}"
    )
    for row in rows:
        psnr = f"{row.psnr_min_db:5.1f}" if row.psnr_min_db else "     "
        print(
            f"{row.resolution:>4} {row.label:<18} {row.threads:>3}"
            f" {row.image_ms:>9.2f} {row.images_per_s:>8.2f}"
            f" {row.x:>5.2f} {row.peak_share:>5.0%} {psnr} | {row.start_s:>7.2f} = {row.imports_s:>7.2f}"
            f" {row.load_s:>5.2f} {row.first_s:>5.2f} | {row.peak_mb:>5.0f}"
        )


def _models(chosen: argparse.Namespace) -> Iterator[ModelInfo]:
    for name in chosen.model:
        yield Registry().get(name)
    for size in chosen.sizes:
        yield random_model(chosen.models, size, chosen.seeds, lambda line: print(line, file=sys.stderr))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the engines side by side.")
    parser.add_argument("--sizes", type=int, nargs="*", choices=sorted(CHANNELS), default=[*CHANNELS])
    parser.add_argument("--model", action="append", default=[], help="a shipped model; may be given again")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each engine takes")
    parser.add_argument("--images", type=int, default=8, help="images timed per turn")
    parser.add_argument("--seeds", type=int, default=32, help="images compared for PSNR")
    parser.add_argument("--zoo", type=Path, help="a checkout of facebookresearch/pytorch_GAN_zoo")
    parser.add_argument("--models", type=Path, default=calibration_file().parent / "bench")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows: list[Row] = []
    encoders: list[Any] = []
    for info in _models(chosen):
        rows += measure(info, chosen.zoo, chosen.rounds, chosen.images, chosen.seeds)
        images = load_engine(info, engine="openvino", precision="fp32", threads=1).generate(range(4), {})
        encoders += compare_encoders(images)
    if chosen.json:
        print(
            json.dumps({"engines": [asdict(row) for row in rows], "encoders": [asdict(e) for e in encoders]})
        )
        return
    print_table(rows)
    print(f"\n{'px':>4} {'PNG encoder':<22} {'ms':>7} {'bytes':>9}")
    for row in encoders:
        print(f"{row.resolution:>4} {row.encoder:<22} {row.image_ms:>7.2f} {row.mean_bytes:>9,}")


if __name__ == "__main__":
    main()
