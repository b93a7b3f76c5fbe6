"""The engine benchmark: its arithmetic, and that one turn of it measures what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.engines.png_encoders import compare_encoders
from benchmarks.engines.random_models import CHANNELS, LATENT_SIZES, giga_macs
from benchmarks.engines.speed import Case, _run
from model.config import GeneratorConfig
from model.registry import Registry
from tests.support.builders.random_checkpoints import save_random


@pytest.mark.parametrize(
    ("resolution", "plain", "fused"), [(512, 35.4, 22.9), (256, 28.1, 18.3), (128, 20.9, 13.8)]
)
def test_multiply_adds_of_the_published_sizes(resolution: int, plain: float, fused: float) -> None:
    config = GeneratorConfig(
        name="x", resolution=resolution, latent_size=LATENT_SIZES[resolution], channels=CHANNELS[resolution]
    )
    assert giga_macs(config, fused=False) == pytest.approx(plain, abs=0.1)
    assert giga_macs(config, fused=True) == pytest.approx(fused, abs=0.1)


def test_one_turn_of_an_engine_says_what_each_step_took(tmp_path: Path) -> None:
    save_random(tmp_path / "tiny.safetensors")
    found = _run(Registry(tmp_path).get("tiny"), Case("x", "openvino", "fp32"), None, 8)
    steps = ("python_s", "imports_s", "load_s", "first_s")
    assert all(found[step] > 0 for step in steps)
    assert found["total_s"] == pytest.approx(sum(found[step] for step in steps), abs=0.01)
    assert found["image_wall_s"] < found["total_s"]
    assert 20 < found["peak_mb"] < 2000


def test_encoders_are_compared_on_the_same_images() -> None:
    rows = compare_encoders(np.zeros((2, 32, 32, 3), dtype=np.uint8))
    assert {row.resolution for row in rows} == {32}
    assert {"ours", "Pillow, level 6"} <= {row.encoder for row in rows}
    assert all(row.mean_bytes > 60 for row in rows)
