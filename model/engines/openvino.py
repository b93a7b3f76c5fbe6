"""The serving engine: OpenVINO on the CPU, with no torch anywhere near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.config import GeneratorConfig
from model.engines.isa import instruction_set
from model.engines.openvino_import import import_openvino
from model.engines.precision import choose_precision, runs_bf16
from model.errors import EngineError
from model.protocol import Params, Weights
from model.seeds import latents

if TYPE_CHECKING:
    from model.engines.graph import Upsampling


class OpenVinoEngine:
    """A Progressive GAN on OpenVINO.

    Every image is its own inference on one thread, so its bytes depend on nothing around it; more threads
    paint more images at a time. Why no batches: docs/adr/0007-engine.md.

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        precision: "auto", "fp32", "bf16" or "int8".
        threads: images painted at a time, one thread each.
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
        try:
            ov = import_openvino()
        except ImportError as error:
            raise EngineError(f"engine openvino is not installed (pip install openvino): {error}") from error
        self.version: str = ov.__version__.partition("-")[0]
        self.isa = instruction_set()
        self.precision = choose_precision(precision, config.gate, self.isa)
        self.threads = threads
        self.resolution = config.resolution
        self.latent_size = config.latent_size
        try:
            compiled = self._compile(ov, weights, config)
            self._requests = [compiled.create_infer_request() for _ in range(threads)]
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2]
            raise EngineError(
                f"OpenVINO cannot run {config.name} in {self.precision} here: {reason}"
            ) from error

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:  # noqa: ARG002 (pgan: none)
        """Generate one image per seed; see `model.protocol.Engine.generate`."""
        return self.paint(latents(seeds, self.latent_size))

    def paint(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Paint one image per latent; see `model.protocol.LatentEngine.paint`."""
        images = np.empty((len(rows), self.resolution, self.resolution, 3), dtype=np.uint8)
        lanes = len(self._requests)
        for start in range(0, len(rows) + lanes, lanes):
            for lane, request in enumerate(self._requests):
                self._collect(request, images, start - lanes + lane)
                if start + lane < len(rows):
                    request.start_async({0: rows[start + lane : start + lane + 1]})
        return images

    @staticmethod
    def _collect(request: Any, images: NDArray[np.uint8], index: int) -> None:
        """Wait for the image that a lane was given one round ago, if it was given one."""
        if 0 <= index < len(images):
            request.wait()
            images[index] = request.get_output_tensor(0).data[0]

    def _compile(self, ov: Any, weights: Weights, config: GeneratorConfig) -> Any:
        from model.engines.graph import GraphBuilder

        int8_layers = config.gate.int8_layers if config.gate and self.precision == "int8" else {}
        # Under AVX2 OpenVINO cannot compile every transposed convolution.
        upsampling: Upsampling = "transposed" if self.isa.startswith("avx512") else "subpixel"
        in_floats = "bf16" if self.precision != "fp32" and runs_bf16(self.isa) else "f32"
        options = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
            "INFERENCE_PRECISION_HINT": in_floats,
            # Every worker process would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        graph = GraphBuilder(weights, config, upsampling, int8_layers).build()
        return ov.Core().compile_model(graph, "CPU", options)
