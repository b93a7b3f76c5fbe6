"""The mean of checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from diptych.commands.model.group import model
from model.averaging import average_checkpoints
from model.checkpoint import load_checkpoint, save_checkpoint
from model.errors import CheckpointError
from tests.support.builders.checkpoints import save_tiny


def test_the_mean_lies_half_way(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    first = tmp_path / "tiny.safetensors"
    tensors, config = load_checkpoint(first)
    second, output = tmp_path / "second.safetensors", tmp_path / "mean.safetensors"
    save_checkpoint(second, {name: 3 * tensor for name, tensor in tensors.items()}, config)
    done = CliRunner().invoke(model, ["average", str(first), str(second), "-o", str(output)])
    assert done.exit_code == 0, done.output
    mean, _ = load_checkpoint(output)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(mean[name], 2 * tensor, rtol=2e-3, atol=1e-6)
    assert "sha256:" in done.output


def test_another_architecture_has_no_mean(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    save_tiny(tmp_path, name="wide", width=16)
    with pytest.raises(CheckpointError, match=r"wide\.safetensors: its architecture differs from tiny"):
        average_checkpoints([tmp_path / "tiny.safetensors", tmp_path / "wide.safetensors"])
    tensors, config = load_checkpoint(tmp_path / "tiny.safetensors")
    save_checkpoint(tmp_path / "steep.safetensors", tensors, config.model_copy(update={"leaky_slope": 0.1}))
    with pytest.raises(CheckpointError, match=r"steep\.safetensors: its architecture differs from tiny"):
        average_checkpoints([tmp_path / "tiny.safetensors", tmp_path / "steep.safetensors"])


def test_one_checkpoint_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    only = str(tmp_path / "tiny.safetensors")
    done = CliRunner().invoke(model, ["average", only, "-o", str(tmp_path / "mean.safetensors")])
    assert done.exit_code == 2
    assert "give two or more checkpoints" in done.output
