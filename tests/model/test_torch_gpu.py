"""The GPU engine. Its arithmetic runs on the CPU too; graph and pinned memory only where there is a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.checkpoint import load_checkpoint
from model.engines.torch import TorchEngine
from model.engines.torch_gpu import BATCH, TorchGpuEngine
from model.errors import EngineError
from model.registry import Registry
from model.seeds import image_seed
from tests.support import missing
from tests.support.builders.random_checkpoints import save_random

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason=missing.GPU)),
]


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2, axis=(1, 2, 3)).max()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "least_db"), [("fp32", 70.0), ("bf16", 40.0)])
def test_generates_what_the_reference_generates(precision: str, least_db: float, device: str) -> None:
    weights, config = load_checkpoint(Registry(None).get("faces-64").path)
    seeds = list(range(BATCH + 3))
    reference = TorchEngine(weights, config, precision="fp32", threads=1).generate(seeds, {})
    engine = TorchGpuEngine(weights, config, precision=precision, device=device)
    assert (engine.name, engine.precision) == ("torch", precision)
    assert psnr_db(engine.generate(seeds, {}), reference) >= least_db


@pytest.mark.parametrize("device", DEVICES)
def test_bf16_does_not_round_what_pixel_norm_magnifies(device: str) -> None:
    weights, config = load_checkpoint(Registry(None).get("faces-128").path)
    seeds = [image_seed(1, 111)]  # 39 dB with its latents in bf16.
    reference = TorchEngine(weights, config, precision="fp32", threads=1).generate(seeds, {})
    engine = TorchGpuEngine(weights, config, precision="bf16", device=device)
    assert psnr_db(engine.generate(seeds, {}), reference) >= 42


@pytest.mark.parametrize("device", DEVICES)
def test_bytes_depend_on_no_neighbour(tmp_path: Path, device: str) -> None:
    save_random(tmp_path / "tiny.safetensors")
    weights, config = load_checkpoint(tmp_path / "tiny.safetensors")
    engine = TorchGpuEngine(weights, config, precision="bf16", device=device)
    together = engine.generate(list(range(2 * BATCH + 1)), {})
    for seed in (0, 5, BATCH, 2 * BATCH):
        assert np.array_equal(engine.generate([seed], {})[0], together[seed])
    assert engine.generate([], {}).shape == (0, 32, 32, 3)


def test_auto_asks_the_gate(tmp_path: Path) -> None:
    weights, config = load_checkpoint(Registry(None).get("faces-64").path)
    assert TorchGpuEngine(weights, config, precision="auto", device="cpu").precision == "bf16"
    assert config.gate is not None
    far = config.gate.precisions["bf16"].model_copy(update={"psnr_min_db": 39.9})
    too_far = config.model_copy(
        update={"gate": config.gate.model_copy(update={"precisions": {"bf16": far}, "int8_layers": {}})}
    )
    assert TorchGpuEngine(weights, too_far, precision="auto", device="cpu").precision == "fp32"
    save_random(tmp_path / "ungated.safetensors")
    weights, config = load_checkpoint(tmp_path / "ungated.safetensors")
    assert TorchGpuEngine(weights, config, precision="auto", device="cpu").precision == "fp32"
    with pytest.raises(EngineError, match="does not run int8 on a GPU"):
        TorchGpuEngine(weights, config, precision="int8", device="cpu")
