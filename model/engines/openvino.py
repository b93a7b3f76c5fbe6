"""The serving engine: OpenVINO on the CPU, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.config import GeneratorConfig
from model.engines.isa import instruction_set
from model.engines.openvino_import import import_openvino
from model.engines.precision import choose_precision, runs_bf16
from model.errors import EngineError, last_line
from model.protocol import LatentEngine, Weights

if TYPE_CHECKING:
    from model.engines.graph import Upsampling


GRAPH = 2
"""Part of the version; incremented whenever the graph changes the bytes of an image."""


class OpenVinoEngine(LatentEngine):
    """A Progressive GAN on OpenVINO.

    The input layer runs in fp32 in every precision: it is a thousandth of the work, and where its outputs
    nearly cancel out, pixel norm magnifies the rounding error of the latents.

    Every image is its own inference on one thread, so its bytes depend on nothing around it; more threads
    generate more images at a time. Why no batches: docs/adr/0007-engine.md.

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        precision: "auto", "fp32", "bf16" or "int8".
        threads: images generated at a time, one thread each.
    Raises:
        EngineError: OpenVINO is not installed, or cannot run this model here.
    """

    name = "openvino"

    def __init__(
        self,
        weights: Weights,
        config: GeneratorConfig,
        *,
        precision: str,
        threads: int,
    ) -> None:
        ov = import_openvino()
        self.version = f"{ov.__version__.partition('-')[0]}+graph{GRAPH}"
        self.isa = instruction_set()
        self.precision = choose_precision(precision, config.gate, self.isa)
        self.threads = threads
        self.resolution = config.resolution
        self.latent_size = config.latent_size
        try:
            first, rest = self._compile(ov, weights, config)
            self._lanes = [_Lane(first, rest) for _ in range(threads)]
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot run {config.name} in {self.precision} here: {last_line(error)}"
            ) from error

    def generate_from_latents(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate one image per latent; see `model.protocol.LatentEngine.generate_from_latents`."""
        images = np.empty((len(rows), self.resolution, self.resolution, 3), dtype=np.uint8)
        count = len(self._lanes)
        for start in range(0, len(rows) + count, count):
            for place, lane in enumerate(self._lanes):
                # Collect the image that the lane started one round ago, if any.
                if 0 <= start - count + place < len(rows):
                    images[start - count + place] = lane.image()
                if start + place < len(rows):
                    lane.start(rows[start + place : start + place + 1])
        return images

    def _compile(self, ov: Any, weights: Weights, config: GeneratorConfig) -> tuple[Any, Any]:
        from model.engines.graph import GraphBuilder

        int8_layers = config.gate.int8_layers if config.gate and self.precision == "int8" else {}
        # Under AVX2 OpenVINO cannot compile every transposed convolution.
        upsampling: Upsampling = "transposed" if self.isa.startswith("avx512") else "subpixel"
        in_floats = "bf16" if self.precision != "fp32" and runs_bf16(self.isa) else "f32"
        options = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
            # Every worker process would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        first, rest = GraphBuilder(weights, config, upsampling, int8_layers).build_parts()
        core = ov.Core()
        return (
            core.compile_model(first, "CPU", options | {"INFERENCE_PRECISION_HINT": "f32"}),
            core.compile_model(rest, "CPU", options | {"INFERENCE_PRECISION_HINT": in_floats}),
        )


class _Lane:
    """Generates one image at a time.

    Args:
        first: the input layer, compiled.
        rest: the other layers, compiled.
    """

    def __init__(self, first: Any, rest: Any) -> None:
        self._first = first.create_infer_request()
        self._rest = rest.create_infer_request()
        self._rest.set_input_tensor(self._first.get_output_tensor())

    def start(self, row: NDArray[np.float32]) -> None:
        """Start generating from one latent [1, latent_size]; the previous image must have been collected."""
        self._first.infer({0: row})
        self._rest.start_async()

    def image(self) -> NDArray[np.uint8]:
        """Wait for the image [H, W, 3], which the next one overwrites."""
        self._rest.wait()
        image: NDArray[np.uint8] = self._rest.get_output_tensor().data[0]
        return image
