"""Measure the precision gate: the deviation of bf16 and int8 from fp32 for a checkpoint, and their speed.

int8 is used in the last convolutions, where most of the time is spent, as many as the gate allows: an early
error is magnified by all later layers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from model.config import GeneratorConfig
from model.engines.graph import GraphBuilder
from model.engines.isa import instruction_set
from model.engines.openvino import OpenVinoEngine
from model.engines.precision import runs_bf16, runs_int8
from model.errors import EngineError
from model.precision_gate import MIN_PSNR_DB, ActivationRange, LowPrecision, PrecisionFigures, PrecisionGate
from model.protocol import Weights
from model.seeds import image_seed, latents

MARGIN_DB: Final = 0.75
"""Margin by which int8 must pass the gate on a few seeds: the minimum over many is lower."""
SEARCH_SEEDS: Final = 24
RANGE_SEEDS: Final = 16
SMALL_SHARE: Final = 0.04
"""Early convolutions are small: rounding them costs quality and load time, and gains nothing."""
REACH: Final = 0.9
"""Share of the largest activation that is represented: clipping the rest costs less than it gains."""
SEED: Final = 1
"""Seed of the measured images, fixed so that the result is reproducible."""

Progress = Callable[[str], None]


def measure_precision_gate(
    weights: Weights, config: GeneratorConfig, *, seeds: int = 256, report: Progress = lambda _: None
) -> PrecisionGate:
    """Measure a checkpoint's lower precisions on this machine.

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config; its `gate` is ignored.
        seeds: number of images to compare.
        report: receives progress lines.
    Raises:
        EngineError: this CPU runs neither bf16 nor int8.
    """
    isa = instruction_set()
    if not runs_int8(isa):
        raise EngineError(f"the gate needs a CPU with AVX512_VNNI or AMX, this one is {isa}")
    trial = _Trial(weights, config, [image_seed(SEED, index) for index in range(seeds)])
    report("measuring activations")
    ranges = measure_ranges(weights, config)
    figures: dict[LowPrecision, PrecisionFigures] = {}
    if runs_bf16(isa):
        report("comparing bf16 with fp32")
        figures["bf16"] = trial.figures("bf16", {})
    layers = _search(trial, _worthwhile(ranges, config), report)
    while layers:
        report(f"comparing int8 in {len(layers)} layers with fp32")
        figures["int8"] = trial.figures("int8", layers)
        if figures["int8"].psnr_min_db >= MIN_PSNR_DB:
            break
        del figures["int8"]
        layers = _last(layers, len(layers) - 1)
    version = f"openvino {trial.reference.version}"
    return PrecisionGate(seeds=seeds, engine=version, isa=isa, precisions=figures, int8_layers=layers)


def measure_ranges(weights: Weights, config: GeneratorConfig) -> dict[str, ActivationRange]:
    """Measure the range of each convolution's input, by channel, and choose its rounding.

    Returns:
        Ranges by layer, in execution order.
    """
    builder = GraphBuilder(weights, config, "transposed")
    graph = builder.build()
    axes = ops.constant(np.array([0, 2, 3]))
    for source in builder.conv_inputs.values():
        graph.add_outputs([ops.reduce_max(source, axes).output(0), ops.reduce_min(source, axes).output(0)])
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = ov.Core().compile_model(graph, "CPU", options).create_infer_request()
    seen: list[list[NDArray[np.float32]]] = []
    for row in latents([image_seed(SEED, index) for index in range(RANGE_SEEDS)], config.latent_size):
        request.infer({0: row[None]})
        seen.append([np.array(tensor.data) for tensor in request.output_tensors[1:]])
    columns = list(zip(*seen, strict=True))
    return {
        layer: choose_range(
            np.min(columns[2 * place + 1], axis=0),
            np.max(columns[2 * place], axis=0),
            np.abs(kernel).max(axis=(0, 2, 3)),
        )
        for place, (layer, kernel) in enumerate(builder.kernels.items())
    }


def choose_range(
    low: NDArray[np.float32], high: NDArray[np.float32], kernel_reach: NDArray[np.float32]
) -> ActivationRange:
    """Balance the rounding error between activations and kernel.

    Args:
        low, high: smallest and largest activation of each channel [C].
        kernel_reach: largest absolute weight that reads each channel [C].
    """
    reach = np.maximum(np.maximum(high, -low), 1e-6)
    ideal = 2 * np.log2(reach / np.maximum(kernel_reach, 1e-9))  # Quarters of log2 of the root of the ratio.
    exponents = np.clip(np.rint(ideal - np.median(ideal)), -64, 64).astype(int)
    divisors = np.exp2(exponents / 4)
    return ActivationRange(
        low=min(0.0, float((low / divisors).min()) * REACH),
        high=max(1e-6, float((high / divisors).max()) * REACH),
        exponents=tuple(exponents.tolist()),
    )


@dataclass(slots=True)
class _Comparison:
    psnr_db: list[float]
    relative_time: float


class _Trial:
    """Generates the same seeds in fp32 and in another precision."""

    def __init__(self, weights: Weights, config: GeneratorConfig, seeds: Sequence[int]) -> None:
        self._weights = weights
        self._config = config.model_copy(update={"gate": None})
        self._seeds = seeds
        self.reference = OpenVinoEngine(weights, self._config, precision="fp32", threads=1)

    def figures(self, precision: LowPrecision, layers: Mapping[str, ActivationRange]) -> PrecisionFigures:
        """Compare over all seeds."""
        comparison = self.compare(precision, layers, len(self._seeds))
        return PrecisionFigures(
            psnr_min_db=round(min(comparison.psnr_db), 2),
            psnr_mean_db=round(float(np.mean(comparison.psnr_db)), 2),
            relative_time=round(comparison.relative_time, 3),
        )

    def compare(
        self, precision: LowPrecision, layers: Mapping[str, ActivationRange], count: int
    ) -> _Comparison:
        """Compare the first `count` seeds, image by image, so that a busy machine slows both alike."""
        placeholder = PrecisionFigures(psnr_min_db=0, psnr_mean_db=0, relative_time=1)
        gate = PrecisionGate(
            seeds=1, engine="", isa="", precisions={precision: placeholder}, int8_layers=dict(layers)
        )
        config = self._config.model_copy(update={"gate": gate})
        engine = OpenVinoEngine(self._weights, config, precision=precision, threads=1)
        psnr_db, ratios = [], []
        for seed in self._seeds[:count]:
            images, seconds = [], []
            for candidate in (self.reference, engine):
                started_s = time.process_time()
                images.append(candidate.generate([seed], {}).astype(np.float64))
                seconds.append(time.process_time() - started_s)
            ratios.append(seconds[1] / seconds[0])
            # Capped at 100 dB, about one rounding error in one pixel.
            error = max(float(np.mean((images[1] - images[0]) ** 2)), 255**2 / 1e10)
            psnr_db.append(10 * float(np.log10(255**2 / error)))
        return _Comparison(psnr_db, float(np.median(ratios)))


def _search(
    trial: _Trial, ranges: Mapping[str, ActivationRange], report: Progress
) -> dict[str, ActivationRange]:
    """Find the largest number of last layers that pass the gate on a few seeds, by bisection."""
    most, too_many = 0, len(ranges) + 1
    while too_many - most > 1:
        count = (most + too_many) // 2
        report(f"trying int8 in the last {count} layers")
        worst = min(trial.compare("int8", _last(ranges, count), SEARCH_SEEDS).psnr_db)
        if worst >= MIN_PSNR_DB + MARGIN_DB:
            most = count
        else:
            too_many = count
    return _last(ranges, most)


def _worthwhile(ranges: Mapping[str, ActivationRange], config: GeneratorConfig) -> dict[str, ActivationRange]:
    """The convolutions without the first few that hold less than `SMALL_SHARE` of the arithmetic."""
    work = []
    for layer in ranges:
        level = int(layer.split(".")[1])
        outputs, inputs = config.tensor_shapes()[f"{layer}.weight"][:2]
        taps = 4 if layer.endswith("conv0") else 9  # Fused with the upsampling, 4 taps make a pixel.
        work.append(outputs * inputs * taps * 4**level)
    small = np.cumsum(work) < SMALL_SHARE * sum(work)
    return _last(ranges, int((~small).sum()))


def _last(ranges: Mapping[str, ActivationRange], count: int) -> dict[str, ActivationRange]:
    return dict(list(ranges.items())[len(ranges) - count :])
