"""The reference engine: plain eager torch on the CPU, slow and simple."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from model.config import GeneratorConfig
from model.engines.isa import instruction_set
from model.errors import EngineError
from model.protocol import LatentEngine, Weights

try:
    import torch
    import torch.nn.functional as F  # noqa: N812
except ImportError as error:
    raise EngineError(f"engine torch is not installed (pip install -e '.[train]'): {error}") from error


def has_gpu() -> bool:
    """Whether torch sees a CUDA device."""
    return torch.cuda.is_available()


class TorchEngine(LatentEngine):
    """A Progressive GAN in eager torch, as in the paper, without any fusion.

    Every image is generated alone and on one intra-op thread, so that its bytes depend on nothing else;
    more threads generate more images at a time.

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        precision: "auto" or "fp32".
        threads: images generated at a time.
    Raises:
        EngineError: another precision.
    """

    name = "torch"

    def __init__(
        self,
        weights: Weights,
        config: GeneratorConfig,
        *,
        precision: str,
        threads: int,
    ) -> None:
        if precision not in ("auto", "fp32"):
            raise EngineError(f"engine torch is the fp32 reference: it does not run {precision}")
        self.version: str = torch.__version__.partition("+")[0]
        self.precision = "fp32"
        self.isa = instruction_set()
        self.threads = threads
        self.resolution = config.resolution
        self.latent_size = config.latent_size
        self._config = config
        self._weights = {
            name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in weights.items()
        }

    def generate_from_latents(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate one image per latent; see `model.protocol.LatentEngine.generate_from_latents`."""
        latent_rows = torch.from_numpy(rows)
        images = np.empty((len(rows), self.resolution, self.resolution, 3), dtype=np.uint8)

        def generate_one(index: int) -> None:
            images[index] = self._generate(latent_rows[index : index + 1])

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(generate_one, range(len(rows))))
        finally:
            torch.set_num_threads(before)
        return images

    @torch.inference_mode()
    def _generate(self, latent: torch.Tensor) -> NDArray[np.uint8]:
        """float32 [1, latent_size] -> uint8 [H, W, 3]."""
        weights = self._weights
        x = F.linear(self._pixel_norm(latent), weights["input.weight"], weights["input.bias"])
        x = self._activate(x.view(1, self._config.channels[0], 4, 4))
        x = self._layer(x, "blocks.0.conv")
        for level in range(1, len(self._config.channels)):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = self._layer(self._layer(x, f"blocks.{level}.conv0"), f"blocks.{level}.conv1")
        x = F.conv2d(x, weights["to_rgb.weight"], weights["to_rgb.bias"])
        x = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        image: NDArray[np.uint8] = x[0].permute(1, 2, 0).numpy()
        return image

    def _layer(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weights = self._weights
        return self._activate(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))

    def _activate(self, x: torch.Tensor) -> torch.Tensor:
        return self._pixel_norm(F.leaky_relu(x, self._config.leaky_slope))

    def _pixel_norm(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + self._config.pixel_norm_eps)
