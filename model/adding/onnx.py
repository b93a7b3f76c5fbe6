"""Register an ONNX generator: run it a few times to detect its layout, range and size."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.adding.request import AddRequest
from model.descriptor import MAX_RESOLUTION, MIN_RESOLUTION, Descriptor
from model.engines.onnx import LAYOUTS, MAX_LATENT, RANGES, compile_generator, to_image
from model.errors import CheckpointError, EngineError, FormError, last_line
from model.hashing import hash_tree
from model.seeds import image_seed, latents

TRIALS: Final = 8
SLACK: Final = 0.02
"""Tolerance below 0 and above 1 for a range of 0..1 without clipping."""
OVERSHOOT: Final = 2.0
"""Largest absolute value of an unclipped output that still counts as -1..1."""


def describe_onnx(path: Path, request: AddRequest) -> Descriptor:
    """Read, run and describe an ONNX file.

    Raises:
        FormError: an unknown option, or an ambiguous range.
        CheckpointError: not ONNX, or not a generator.
        EngineError: OpenVINO cannot run it here.
    """
    request.only("range", "layout", "latent")
    value_range, layout = request.choice("range", RANGES), request.choice("layout", LAYOUTS)
    files = hash_tree(path)
    generator = compile_generator(path, request.whole("latent", 1, MAX_LATENT), precision="fp32", threads=1)
    outputs, times_s = [], []
    for row in latents([image_seed(0, index) for index in range(TRIALS)], generator.latent_size):
        started_s = time.perf_counter()
        try:
            # By position: names depend on the exporter. Copied: the next call reuses the memory.
            outputs.append(generator.compiled([generator.feed(row)])[0].copy())
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot run {path.name}: {last_line(error)}") from error
        times_s.append(time.perf_counter() - started_s)
    layout = layout or _layout(outputs[0], path.name)
    value_range = value_range or _range(outputs, path.name)
    resolution = _resolution(to_image(outputs[0], layout, value_range), request, path.name)
    return Descriptor(
        family="onnx",
        source=str(path.absolute()),
        local=True,
        resolution=resolution,
        takes=(),
        options={"range": value_range, "layout": layout, "latent": generator.latent_size},
        files=files,
        parameters=generator.parameters,
        licence=request.licence,
        training_data=request.training_data,
        seconds_per_image=request.seconds_per_image or max(statistics.median(times_s), 1e-4),
    )


def _layout(output: NDArray[Any], name: str) -> str:
    for layout, axis in zip(LAYOUTS, (1, 3), strict=True):
        if output.ndim == 4 and output.shape[0] == 1 and output.shape[axis] == 3:
            return layout
    raise CheckpointError(f"{name}: its output is {list(output.shape)}, not one image [1,3,H,W] or [1,H,W,3]")


def _range(outputs: list[NDArray[Any]], name: str) -> str:
    if outputs[0].dtype == np.uint8:
        return "byte"
    values = np.stack(outputs).astype(np.float32)
    if not np.isfinite(values).all():
        raise CheckpointError(f"{name}: it generates values that are not finite")
    low, high = float(values.min()), float(values.max())
    if low >= -SLACK and high <= 1 + SLACK:
        return "unit"
    if -OVERSHOOT <= low < -SLACK and high <= OVERSHOOT:
        return "signed"
    raise FormError(
        f"{name}: its values range from {low:.3g} to {high:.3g}: give their meaning with --option"
        " range=signed (-1..1), unit (0..1) or byte (0..255)"
    )


def _resolution(image: NDArray[np.uint8], request: AddRequest, name: str) -> int:
    side = int(max(image.shape[:2]))
    if not MIN_RESOLUTION <= side <= MAX_RESOLUTION:
        raise CheckpointError(f"{name}: it generates {side} px, outside {MIN_RESOLUTION}..{MAX_RESOLUTION}")
    if request.resolution not in (None, side):
        raise FormError(f"{name}: it generates {side} px, not {request.resolution}")
    return side
