"""The engine for a GPU: torch, batches of one size, captured once as a CUDA graph and replayed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from model.config import GeneratorConfig
from model.engines.kernels import to_transposed
from model.errors import EngineError
from model.protocol import LatentEngine, Weights

BATCH = 8
"""Images per batch, padded if fewer remain: kernels are chosen by shape, so another batch size could change
last bits; and a graph has a fixed shape."""
WARM_UP_RUNS = 3
"""Runs before capture, in which libraries choose their algorithms and allocate workspaces."""
BUFFERS = 2


class TorchGpuEngine(LatentEngine):
    """A Progressive GAN on a GPU. Upsampling is fused into the convolution that follows it, as on the CPU.

    While a batch is generated, the one before is copied into pinned memory.

    Args:
        weights: float16 or float32 tensors, as `config.tensor_shapes()` names them.
        config: the generator's config.
        precision: "fp32", "bf16" or "auto": bf16 where the GPU runs it and the checkpoint's gate allows it.
        device: "cuda"; "cpu" runs the same arithmetic, without a graph, for tests.
    Raises:
        EngineError: the precision cannot run here.
    """

    name = "torch"

    def __init__(
        self, weights: Weights, config: GeneratorConfig, *, precision: str, device: str = "cuda"
    ) -> None:
        self._device = torch.device(device)
        self.version: str = torch.__version__.partition("+")[0]
        self.precision = self._choose(precision, config)
        self.isa = _architecture(self._device)
        self.threads = 1
        self.resolution = config.resolution
        self.latent_size = config.latent_size
        self._config = config
        self._dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        # TF32 has a shorter mantissa than fp32.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self._weights = self._load(weights)
        self._latents = torch.zeros(BATCH, config.latent_size, device=self._device)
        self._run = self._captured() if self._on_gpu else self._generate_batch
        shape = (BATCH, config.resolution, config.resolution, 3)
        self._host = [torch.empty(shape, dtype=torch.uint8, pin_memory=self._on_gpu) for _ in range(BUFFERS)]

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def generate_from_latents(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate one image per latent; see `model.protocol.LatentEngine.generate_from_latents`."""
        images = np.empty((len(rows), self.resolution, self.resolution, 3), dtype=np.uint8)
        copied: list[torch.cuda.Event | None] = []
        starts = [*range(0, len(rows), BATCH)]
        for place, start in enumerate(starts):
            copied.append(self._start(rows[start : start + BATCH], self._host[place % BUFFERS]))
            if place:
                self._collect(images, place - 1, copied[place - 1])
        if starts:
            self._collect(images, len(starts) - 1, copied[-1])
        return images

    def _start(self, rows: NDArray[np.float32], host: torch.Tensor) -> torch.cuda.Event | None:
        """Queue a batch and its copy into `host`; the event signals completion."""
        self._latents[: len(rows)].copy_(torch.from_numpy(rows))
        host.copy_(self._run(), non_blocking=self._on_gpu)
        if not self._on_gpu:
            return None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _collect(self, images: NDArray[np.uint8], place: int, copied: torch.cuda.Event | None) -> None:
        if copied is not None:
            copied.synchronize()
        part = images[place * BATCH : (place + 1) * BATCH]
        part[:] = self._host[place % BUFFERS].numpy()[: len(part)]

    def _captured(self) -> Callable[[], torch.Tensor]:
        """Capture the batch as a CUDA graph: one launch instead of hundreds."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                self._generate_batch()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self._generate_batch()

        def replay() -> torch.Tensor:
            graph.replay()
            return output

        return replay

    @torch.inference_mode()
    def _generate_batch(self) -> torch.Tensor:
        """`self._latents` -> uint8 [BATCH, H, W, 3] on the device."""
        weights = self._weights
        x = F.linear(self._normalised(self._latents), weights["input.weight"], weights["input.bias"])
        x = self._activate(x.view(BATCH, -1, 4, 4).contiguous(memory_format=torch.channels_last))
        x = self._conv(x, "blocks.0.conv")
        for level in range(1, len(self._config.channels)):
            name = f"blocks.{level}.conv0"
            x = F.conv_transpose2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2, padding=1)
            x = self._conv(self._activate(x), f"blocks.{level}.conv1")
        x = F.conv2d(x.float(), weights["to_rgb.weight"], weights["to_rgb.bias"])
        return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _conv(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weights = self._weights
        return self._activate(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))

    def _activate(self, x: torch.Tensor) -> torch.Tensor:
        return self._pixel_norm(F.leaky_relu(x, self._config.leaky_slope))

    def _pixel_norm(self, x: torch.Tensor) -> torch.Tensor:
        # In fp32 and rounded once: bf16 loses too much in a sum of squares.
        return self._normalised(x.float()).to(self._dtype)

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + self._config.pixel_norm_eps)

    def _load(self, weights: Weights) -> dict[str, torch.Tensor]:
        loaded = {}
        for name, value in weights.items():
            array = value.astype(np.float32)
            if name.endswith("conv0.weight"):
                array = to_transposed(array)
            tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
            # In fp32: what the last layer reads becomes pixels, the first one's errors grow by pixel norm.
            in_floats = name.startswith(("input", "to_rgb"))
            tensor = tensor if in_floats else tensor.to(self._dtype)
            loaded[name] = (
                tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
            )
        return loaded

    def _choose(self, requested: str, config: GeneratorConfig) -> str:
        runs_bf16 = not self._on_gpu or torch.cuda.is_bf16_supported(including_emulation=False)
        if requested == "auto":
            allowed = config.gate is not None and config.gate.accepts("bf16")
            return "bf16" if allowed and runs_bf16 else "fp32"
        if requested == "bf16" and not runs_bf16:
            raise EngineError("bf16 needs a GPU of compute capability 8.0 or more; use fp32 or auto")
        if requested not in ("fp32", "bf16"):
            raise EngineError(f"engine torch does not run {requested} on a GPU; use bf16, fp32 or auto")
        return requested


def _architecture(device: torch.device) -> str:
    if device.type == "cpu":
        return "torch_cpu"
    major, minor = torch.cuda.get_device_capability(device)
    return f"cuda_sm{major}{minor}"
