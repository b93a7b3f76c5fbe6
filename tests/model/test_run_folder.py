"""A run's folder: damaged and foreign states are refused, a full disk leaves nothing half written, export."""

from __future__ import annotations

import errno
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import load_checkpoint
from model.training.config import load_training_config
from model.training.errors import TrainingError
from model.training.loop import open_run
from model.training.state import RunFolder, export_run
from tests.model.test_training import data, open_tiny, run_to, write_config

__all__ = ["data"]


def test_another_architecture_is_refused(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 16)
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("[6, 4]", "[6, 5]"))
    with pytest.raises(TrainingError, match=r"channels \[6, 4\]"):
        open_run(load_training_config(path), data, folder, tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04cos\nsystem\n."])
def test_a_damaged_state_is_refused(content: bytes, tmp_path: Path, data: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.state_path.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged"):
        open_tiny(tmp_path, data, "run")


def test_a_state_cut_short_is_refused(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 16)
    content = folder.state_path.read_bytes()
    folder.state_path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingError, match="damaged"):
        open_tiny(tmp_path, data, "run")


def test_one_flipped_bit_in_a_state_is_refused(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 16)
    content = folder.state_path.read_bytes()
    weights = trainer.generator.get_parameter("input.weight").detach().numpy().tobytes()
    for place in (content.index(weights) + 7, content.index(b"generator_optimiser") + 3):
        damaged = bytearray(content)
        damaged[place] ^= 4
        folder.state_path.write_bytes(damaged)
        with pytest.raises(TrainingError, match="damaged"):
            open_tiny(tmp_path, data, "run")
    folder.state_path.write_bytes(content)
    assert open_tiny(tmp_path, data, "run")[0].images == 16


def test_a_full_disk_leaves_no_half_line_of_figures(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_stats({"kimg": 1.0})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            folder.add_stats({"kimg": 2.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder.add_stats({"kimg": 3.0})
    lines = (tmp_path / "stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["kimg"] for line in lines] == [1.0, 3.0]


def test_export(tmp_path: Path, data: Path) -> None:
    config = load_training_config(write_config(tmp_path))
    target = tmp_path / "tiny.safetensors"
    trainer, folder = open_tiny(tmp_path, data, "run")
    with pytest.raises(TrainingError, match="no training state"):
        export_run(folder, config, target)
    run_to(trainer, folder, 400)
    with pytest.raises(TrainingError, match=r"at 0\.4 kimg; 8 px is ready from 0\.6 on"):
        export_run(folder, config, target)
    run_to(trainer, folder, 608)
    with pytest.raises(TrainingError, match="need a file each"):
        export_run(folder, config, target, tmp_path / "other" / ".." / target.name)
    assert not target.exists()
    export_run(folder, config, target)
    weights, stored = load_checkpoint(target)
    assert (stored.name, stored.resolution, stored.training_kimg) == ("tiny", 8, 0.608)
    expected = trainer.average.serving_tensors(1)["to_rgb.weight"].numpy().astype(np.float16)
    np.testing.assert_array_equal(weights["to_rgb.weight"], expected.astype(np.float32))
