"""Training on tiny runs: resuming to the bit, a clean stop, divergence, another folder of data."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.training.config import load_training_config
from model.training.errors import DivergedError
from model.training.loop import Tick, TrainingLoop, open_run
from model.training.schedule import Position
from model.training.state import RunFolder
from model.training.trainer import Trainer
from tests.support import missing
from tests.support.waiting import LIMIT_S, wait_until

REPOSITORY = Path(__file__).parents[2]
TINY = """
name = "tiny"
resolution = 8
channels = [6, 4]
latent_size = 5
training_data = "noise"
seed = 3
threads = 1
sheet_kimg = 0.2
{extra}
[[phase]]
resolution = 4
fade_kimg = 0
stable_kimg = 0.2
batch = 8

[[phase]]
resolution = 8
fade_kimg = 0.4
stable_kimg = 100
batch = 8
{tables}
"""


def write_config(folder: Path, extra: str = "", tables: str = "") -> Path:
    path = folder / "tiny.toml"
    path.write_text(TINY.format(extra=extra, tables=tables), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "noise.npy", images)
    return folder


def open_tiny(tmp_path: Path, data: Path, run: str, **config: str) -> tuple[Trainer, RunFolder]:
    folder = RunFolder(tmp_path / run)
    loaded = load_training_config(write_config(tmp_path, **config))
    return open_run(loaded, data, folder, tmp_path / "cache"), folder


def run_to(trainer: Trainer, folder: RunFolder, images: int) -> list[Tick]:
    ticks: list[Tick] = []
    assert TrainingLoop(trainer, folder, ticks.append).run(images)
    return ticks


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


@pytest.mark.parametrize("kind", ["ns-r1", "wgan-gp"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_resuming_is_equal_to_the_last_bit(kind: str, precision: str, tmp_path: Path, data: Path) -> None:
    config = {"extra": f'precision = "{precision}"', "tables": f'[loss]\nkind = "{kind}"\nr1_every = 3'}
    whole, folder = open_tiny(tmp_path, data, "whole", **config)
    run_to(whole, folder, 800)
    # Two stops: in the first phase, and half way into fading in, in the middle of an epoch.
    for images in (104, 400, 800):
        parts, folder = open_tiny(tmp_path, data, "parts", **config)
        run_to(parts, folder, images)
    assert parts.images == whole.images == 800
    assert_same(parts.state_dict(), whole.state_dict())


def test_training_moves_what_it_should(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    before = {name: p.detach().clone() for name, p in trainer.average.named_parameters()}
    ticks = run_to(trainer, folder, 104)
    moved = {name for name, p in trainer.average.named_parameters() if not torch.equal(p, before[name])}
    assert "blocks.0.conv.weight" in moved
    assert not any(name.startswith("blocks.1.") for name in moved)
    assert ticks[-1].resolution == 4
    assert {"loss_d", "loss_g", "real_score", "fake_score", "penalty"} <= ticks[0].figures.keys()


def test_a_run_leaves_figures_and_sheets(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    ticks = run_to(trainer, folder, 808)
    lines = [json.loads(line) for line in (folder.path / "stats.jsonl").read_text().splitlines()]
    assert [round(line["kimg"] * 1000) for line in lines] == [tick.images for tick in ticks]
    assert lines[-1]["resolution"] == 8
    assert lines[-1]["cpu_s"] > 0
    sheets = sorted((folder.path / "sheets").iterdir())
    assert len(sheets) == 2
    with Image.open(sheets[-1]) as sheet:
        assert sheet.size == (8 * 64, 8 * 64)


def test_an_easy_task_is_learnt(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    colours = np.zeros((64, 8, 8, 3), dtype=np.uint8)
    colours[..., 0] = 230
    np.save(folder / "red.npy", colours)
    trainer, run = open_tiny(tmp_path, folder, "run", extra="ema_kimg = 0.1")
    start = trainer.generate(trainer.sheet_latents).float().mean(dim=(0, 1, 2))
    run_to(trainer, run, 3200)
    end = trainer.generate(trainer.sheet_latents).float().mean(dim=(0, 1, 2))
    goal = torch.tensor([230.0, 0.0, 0.0])
    assert (end - goal).abs().max() < 40 < (start - goal).abs().max()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(
    number: signal.Signals, tmp_path: Path, data: Path
) -> None:
    run = tmp_path / "run"
    call = "from diptych.cli import main; main()"
    config = str(write_config(tmp_path))
    command = [sys.executable, "-c", call, "model", "train", config, "--data", str(data), "--run", str(run)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    stats = run / "stats.jsonl"
    wait_until(lambda: stats.exists() or process.poll() is not None, "the first figures")
    assert process.poll() is None
    process.send_signal(number)
    _, text = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "the same command resumes it" in text
    assert "Traceback" not in text
    state = RunFolder(run).load_state(load_training_config(Path(config)))
    assert state is not None
    stop_at = str((state["images"] + 8) / 1000)
    done = subprocess.run(
        [*command, "--kimg", stop_at],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"going on at {state['images'] / 1000:.1f} kimg" in done.stderr


def test_a_stop_before_the_first_step_saves(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    ticks: list[Tick] = []
    loop = TrainingLoop(trainer, folder, ticks.append)
    here = trainer.position

    def interrupted(_: Trainer) -> Position:
        loop.stop()  # where a signal may come
        return here

    monkeypatch.setattr(Trainer, "position", property(interrupted))
    assert not loop.run(80)
    assert ticks == []
    assert RunFolder(folder.path).load_state(trainer.config) is not None


def test_divergence_stops_and_keeps_the_last_good_state(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 80)
    kept = folder.state_path.read_bytes()
    with torch.no_grad():
        next(trainer.generator.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"is nan; the last good state is kept in .*state\.pt"):
        run_to(trainer, folder, 160)
    assert folder.state_path.read_bytes() == kept


def test_a_weight_gone_infinite_in_the_last_step_is_not_saved(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    with torch.no_grad():
        # Not in use at 4x4 yet, so that no loss shows it.
        trainer.generator.get_parameter("blocks.1.conv0.bias").fill_(float("inf"))
    with pytest.raises(DivergedError, match="a weight is not finite; no state was saved yet"):
        run_to(trainer, folder, 16)
    assert not folder.state_path.exists()


def test_going_on_with_other_images(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 88)
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "more.npy", np.zeros((21, 16, 16, 3), dtype=np.uint8))
    trainer, _ = open_tiny(tmp_path, other, "run")
    assert trainer.images == 88
    run_to(trainer, folder, 400)


def test_settings_may_change_between_two_sittings(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 16)
    slower, _ = open_tiny(tmp_path, data, "run", tables="[optimiser]\nlearning_rate = 0.0005")
    assert slower.generator_optimiser.param_groups[0]["lr"] == 0.0005
    assert slower.generator_optimiser.state_dict()["state"]


CHANGES = """[optimiser]
learning_rate = 0.002
[[optimiser.change]]
at_kimg = 0.016
learning_rate = 0.001
[[optimiser.change]]
at_kimg = 0.032
learning_rate = 0.0001"""


def test_the_learning_rate_follows_its_schedule_across_sittings(tmp_path: Path, data: Path) -> None:
    seen = {}
    for stop_at in (8, 16, 24, 32, 40):
        trainer, folder = open_tiny(tmp_path, data, "run", tables=CHANGES)
        run_to(trainer, folder, stop_at)
        seen[stop_at] = [
            o.param_groups[0]["lr"] for o in (trainer.generator_optimiser, trainer.discriminator_optimiser)
        ]
    assert seen == {8: [2e-3] * 2, 16: [2e-3] * 2, 24: [1e-3] * 2, 32: [1e-3] * 2, 40: [1e-4] * 2}


@pytest.mark.skipif(shutil.which("c++") is None, reason=missing.COMPILER)
def test_compiled_activations_train_the_same(tmp_path: Path, data: Path) -> None:
    plain, _ = open_tiny(tmp_path, data, "plain", extra='precision = "fp32"')
    fused, _ = open_tiny(tmp_path, data, "fused", extra='precision = "fp32"\ncompile = true')
    for _ in range(3):
        expected, found = plain.step(), fused.step()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
