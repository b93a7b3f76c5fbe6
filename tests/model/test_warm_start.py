"""A run that begins where another ended: with a finished checkpoint, or grown from another run by a level."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.checkpoint import load_checkpoint
from model.errors import CheckpointError
from model.training.config import load_training_config
from model.training.errors import TrainingError
from model.training.loop import TrainingLoop, open_run
from model.training.state import RunFolder, export_run
from tests.model.test_training import data, open_tiny, run_to, write_config

__all__ = ["data"]

NEXT_PHASE = """
[[phase]]
resolution = 16
fade_kimg = 1
stable_kimg = 100
batch = 8
"""


def trained(tmp_path: Path, images_dir: Path) -> tuple[RunFolder, Path]:
    trainer, folder = open_tiny(tmp_path, images_dir, "first")
    run_to(trainer, folder, 1600)
    path = tmp_path / "tiny.safetensors"
    export_run(folder, trainer.config, path)
    return folder, path


def grown_config(tmp_path: Path, channels: str = "[6, 4, 3]") -> Path:
    path = write_config(tmp_path, tables=NEXT_PHASE)
    text = path.read_text(encoding="utf-8").replace(
        "resolution = 8\nchannels = [6, 4]", f"resolution = 16\nchannels = {channels}"
    )
    path.write_text(text.replace("stable_kimg = 100\n", "stable_kimg = 1\n", 1), encoding="utf-8")
    return path


@pytest.fixture
def large_data(tmp_path: Path) -> Path:
    import numpy as np

    folder = tmp_path / "large"
    folder.mkdir()
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8))
    return folder


def test_a_checkpoint_is_trained_on(tmp_path: Path, data: Path) -> None:
    _, checkpoint = trained(tmp_path, data)
    folder = RunFolder(tmp_path / "second")
    config = load_training_config(write_config(tmp_path, extra="discriminator_alone_kimg = 0.08"))
    trainer = open_run(config, data, folder, tmp_path / "cache", checkpoint)
    assert trainer.images == 1600
    export_target = tmp_path / "again.safetensors"
    folder.save_state(trainer.state_dict(), trainer.config, "data")
    export_run(folder, trainer.config, export_target)
    kept, again = load_checkpoint(checkpoint)[0], load_checkpoint(export_target)[0]
    for name, tensor in kept.items():
        torch.testing.assert_close(
            torch.from_numpy(again[name]), torch.from_numpy(tensor), rtol=2e-3, atol=1e-6
        )

    before = [parameter.clone() for parameter in trainer.generator.parameters()]
    TrainingLoop(trainer, folder, lambda _: None).run(1680)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True))
    TrainingLoop(trainer, folder, lambda _: None).run(1696)
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True))


def test_a_checkpoint_is_trained_on_with_its_discriminator(
    tmp_path: Path, data: Path, large_data: Path
) -> None:
    first, checkpoint = trained(tmp_path, data)
    critic = tmp_path / "tiny.discriminator.safetensors"
    export_run(first, load_training_config(write_config(tmp_path)), checkpoint, critic)
    _, _, state = first.read_state()
    cache = tmp_path / "cache"
    grown = load_training_config(grown_config(tmp_path))
    for config, images in ((load_training_config(write_config(tmp_path)), data), (grown, large_data)):
        trainer = open_run(config, images, RunFolder(tmp_path / "new"), cache, checkpoint, critic)
        assert trainer.generator_waits_until == 0
        kept = trainer.discriminator.state_dict()
        for name, tensor in state["discriminator"].items():
            torch.testing.assert_close(kept[name], tensor.half().float(), rtol=0, atol=0)

    new = RunFolder(tmp_path / "new")
    with pytest.raises(TrainingError, match="a run has its own discriminator"):
        open_run(grown, large_data, new, cache, first.path, critic)
    other = load_training_config(write_config(tmp_path, tables=""))
    critic.write_bytes(critic.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged, or no discriminator"):
        open_run(other, data, new, cache, checkpoint, critic)
    with pytest.raises(CheckpointError, match=r"schema 'diptych\.checkpoint/1' is not"):
        open_run(other, data, new, cache, checkpoint, checkpoint)


def test_a_run_is_grown_by_a_level(tmp_path: Path, data: Path, large_data: Path) -> None:
    first, checkpoint = trained(tmp_path, data)
    config = load_training_config(grown_config(tmp_path))
    for source in (first.path, checkpoint):
        folder = RunFolder(tmp_path / f"grown-{source.name}")
        trainer = open_run(config, large_data, folder, tmp_path / "cache", source)
        # 0.2 + 0.4 + 1 kimg are the phases before 16 px: it begins to fade in.
        assert trainer.images == 1600
        assert (trainer.position.resolution, trainer.position.alpha) == (16, 0.0)
        eight = trainer.average(trainer.sheet_latents, 1)
        sixteen = trainer.average(trainer.sheet_latents, 2, 0.0)
        torch.testing.assert_close(sixteen[:, :, ::2, ::2], eight)
        assert run_to(trainer, folder, 1624)
    _, _, state = first.read_state()
    grown = open_run(config, large_data, RunFolder(tmp_path / "third"), tmp_path / "cache", first.path)
    kept = grown.discriminator.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in state["discriminator"].items())


def test_what_cannot_be_begun_with(tmp_path: Path, data: Path, large_data: Path) -> None:
    first, checkpoint = trained(tmp_path, data)
    other = load_training_config(grown_config(tmp_path, "[5, 4, 3]"))
    for source in (first.path, checkpoint):
        with pytest.raises(TrainingError, match="do not begin so"):
            open_run(other, large_data, RunFolder(tmp_path / "x"), tmp_path / "cache", source)
    config = load_training_config(write_config(tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TrainingError, match="no training state there"):
        open_run(config, data, RunFolder(tmp_path / "x"), tmp_path / "cache", empty)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        open_run(config, data, RunFolder(tmp_path / "x"), tmp_path / "cache", checkpoint)
