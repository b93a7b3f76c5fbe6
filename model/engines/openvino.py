"""The serving engine: OpenVINO on the CPU, with no torch anywhere near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.config import GeneratorConfig
from model.engines.isa import instruction_set
from model.errors import EngineError
from model.protocol import Params
from model.seeds import latents

PRECISIONS: Final = ("fp32", "bf16")


class OpenVinoEngine:
    """A Progressive GAN on OpenVINO.

    Every image is its own inference on one thread, so its bytes depend on nothing around it; more threads
    paint more images at a time. Batches were measured to gain nothing (docs/adr/0010-engine.md).

    Args:
        weights: float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        precision: "auto", "fp32" or "bf16".
        threads: images painted at a time, one thread each.
    Raises:
        EngineError: OpenVINO is not installed, or cannot run this model here.
    """

    name = "openvino"

    def __init__(
        self,
        weights: Mapping[str, NDArray[np.float32]],
        config: GeneratorConfig,
        *,
        precision: str,
        threads: int,
    ) -> None:
        try:
            import openvino as ov
        except ImportError as error:
            raise EngineError(f"engine openvino is not installed (pip install openvino): {error}") from error
        self.version: str = ov.__version__.partition("-")[0]
        self.precision = "fp32" if precision == "auto" else precision
        if self.precision not in PRECISIONS:
            raise EngineError(f"engine openvino does not run {precision}: it runs {', '.join(PRECISIONS)}")
        self.isa = instruction_set()
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

    def _compile(self, ov: Any, weights: Mapping[str, NDArray[np.float32]], config: GeneratorConfig) -> Any:
        from model.engines.graph import build_graph

        options = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[self.precision],
            # Every worker process would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        return ov.Core().compile_model(build_graph(weights, config, "transposed"), "CPU", options)
