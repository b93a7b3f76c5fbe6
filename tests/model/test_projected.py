"""The projected discriminator: what it sees, what a run with it keeps, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training.config import TrainingConfig, load_training_config
from model.training.config_tables import EFFNET_SHA256, Augmentation, ProjectedConfig
from model.training.errors import DivergedError, TrainingConfigError, TrainingError
from model.training.loop import open_run
from model.training.projected.discriminator import ProjectedDiscriminator, augmented
from model.training.projected.feature_network import INPUT_SCALE, TAPS, FeatureNetwork, load_effnet
from model.training.state import RunFolder, export_run
from model.training.trainer import Trainer
from tests.model.test_training import assert_same, run_to

pytest.importorskip("efficientnet_lite_pytorch")

CONFIG = """
name = "tiny"
resolution = 32
channels = [6, 4, 4, 4]
latent_size = 5
training_data = "noise"
seed = 3
threads = 1
discriminator_alone_kimg = 0.008
{extra}
{tables}
"""
PHASES = "".join(
    f"[[phase]]\nresolution = {4 << level}\nfade_kimg = {0.016 if level else 0}\nstable_kimg = {stable}\n"
    "batch = 4\n"
    for level, stable in enumerate((0.016, 0.016, 0.016, 100))
)
PROJECTED = "[projected]\nhead_channels = 8\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8))
    return folder


def config_of(tmp_path: Path, extra: str = "", tables: str = PROJECTED) -> TrainingConfig:
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(extra=extra, tables=tables) + PHASES, encoding="utf-8")
    return load_training_config(path)


def open_tiny(tmp_path: Path, data: Path, run: str, **config: str) -> tuple[Trainer, RunFolder]:
    folder = RunFolder(tmp_path / run)
    return open_run(config_of(tmp_path, **config), data, folder, tmp_path / "cache"), folder


def images_of(side: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


class TestFeatures:
    def test_they_are_the_classifiers(self) -> None:
        network = load_effnet(EFFNET_SHA256)
        x = images_of(64)
        expected = []
        y = network._swish(network._bn0(network._conv_stem(x * INPUT_SCALE)))
        for index, block in enumerate(network._blocks):
            y = block(y)
            expected += [y] if index in TAPS else []
        found = FeatureNetwork(EFFNET_SHA256, torch.float32)(x)
        assert [maps.shape[1:] for maps in found] == [(24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)

    def test_their_gradient_is_torchs(self) -> None:
        network = FeatureNetwork(EFFNET_SHA256, torch.float32).double()
        network.dtype = torch.float64
        x = images_of(32, 1).double().requires_grad_(True)
        direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

        def total(images: torch.Tensor) -> torch.Tensor:
            return torch.stack([maps.sin().sum() for maps in network(images)]).sum()

        (gradient,) = torch.autograd.grad(total(x), x)
        with torch.no_grad():
            step = 1e-6
            slope = (total(x + step * direction) - total(x - step * direction)) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-3)


class TestAugmentation:
    def test_without_any_images_stay(self) -> None:
        x = images_of(16)
        how = Augmentation(brightness=0, contrast=0, shift=0)
        assert torch.equal(augmented(x, how, torch.Generator()), x)

    def test_it_moves_and_tints(self) -> None:
        x = images_of(16, 8)
        first, second = (augmented(x, Augmentation(), torch.Generator().manual_seed(n)) for n in (1, 1))
        assert torch.equal(first, second)
        assert first.shape == x.shape
        shifted = augmented(x, Augmentation(brightness=0, contrast=0), torch.Generator().manual_seed(1))
        assert not torch.equal(shifted, x)
        assert torch.isin(shifted, x).all()


def test_mixing_is_the_same_for_a_seed_whatever_torch_drew_before() -> None:
    config = ProjectedConfig(head_channels=8)
    kept = torch.get_rng_state()
    first = ProjectedDiscriminator(config, 32, torch.float32, 1)
    assert torch.equal(torch.get_rng_state(), kept)
    torch.randn(3)
    assert_same(first.state_dict(), ProjectedDiscriminator(config, 32, torch.float32, 1).state_dict())
    assert [maps.shape[-1] for maps in first.look(images_of(16), torch.Generator())] == [8, 8, 4, 2]


@pytest.mark.parametrize("kind", ["ns-r1", "wgan-gp"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_resuming_is_equal_to_the_last_bit(kind: str, precision: str, tmp_path: Path, data: Path) -> None:
    config = {
        "extra": f'precision = "{precision}"\ndiscriminator_channels = [4, 4, 2, 2]',
        "tables": f'{PROJECTED}[loss]\nkind = "{kind}"\nr1_every = 3',
    }
    whole, folder = open_tiny(tmp_path, data, "whole", **config)
    run_to(whole, folder, 152)
    for images in (60, 120, 152):  # before 32 px, while it fades in, and after
        parts, folder = open_tiny(tmp_path, data, "parts", **config)
        ticks = run_to(parts, folder, images)
    assert {"loss_projected", "loss_g_projected", "loss_g", "loss_d"} <= ticks[-1].figures.keys()
    assert_same(parts.state_dict(), whole.state_dict())


def test_heads_learn_and_mixing_stays(tmp_path: Path, data: Path) -> None:
    tables = PROJECTED + "pixel_weight = 0"
    trainer, folder = open_tiny(tmp_path, data, "run", tables=tables)
    run_to(trainer, folder, 96)
    assert trainer.projected is not None
    before = {name: tensor.clone() for name, tensor in trainer.projected.network.state_dict().items()}
    critic = {name: tensor.clone() for name, tensor in trainer.discriminator.state_dict().items()}
    generator = trainer.generator.get_parameter("blocks.0.conv.weight").detach().clone()
    ticks = run_to(trainer, folder, 112)
    after = trainer.projected.network.state_dict()
    still = {name for name, tensor in after.items() if torch.equal(tensor, before[name])}
    assert {name for name in still if not name.startswith("heads")} == {
        name for name in before if not name.startswith("heads")
    }
    assert not any(name.endswith(("bias", "original")) for name in still if name.startswith("heads"))
    assert not torch.equal(trainer.generator.get_parameter("blocks.0.conv.weight"), generator)
    # Without a say, the discriminator of pixels rests.
    assert_same(dict(trainer.discriminator.state_dict()), critic)
    assert "loss_d" not in ticks[-1].figures


def test_what_does_not_fit_the_features_is_refused(tmp_path: Path, data: Path) -> None:
    small = CONFIG.replace("32", "16").replace("[6, 4, 4, 4]", "[6, 4, 4]")
    path = tmp_path / "small.toml"
    phases = PHASES.split("[[phase]]\nresolution = 32")[0]
    path.write_text(small.format(extra="", tables=PROJECTED) + phases, encoding="utf-8")
    with pytest.raises(TrainingConfigError, match=r"16 px are smaller than the stride of .*, 32 px"):
        load_training_config(path)
    change = "[[projected.change]]\nat_kimg = {}\nweight = 2\n"
    with pytest.raises(TrainingConfigError, match="in the order of their at_kimg"):
        config_of(tmp_path, tables=PROJECTED + change.format(2) + change.format(1))
    with pytest.raises(TrainingConfigError, match="discriminator_channels needs 4 counts"):
        config_of(tmp_path, extra="discriminator_channels = [4]")
    with pytest.raises(TrainingConfigError, match="projected: one of weight and pixel_weight"):
        config_of(tmp_path, tables=PROJECTED + "weight = 0\npixel_weight = 0\n")
    with pytest.raises(
        TrainingError, match=rf"have sha256 {EFFNET_SHA256}, but .* wants {'0' * 64}: install"
    ):
        open_tiny(tmp_path, data, "run", tables=f'{PROJECTED}sha256 = "{"0" * 64}"\n')


def test_resuming_without_the_extra_names_it(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 96)
    kept = folder.state_path.read_bytes()
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(TrainingError, match=r"efficientnet_lite_pytorch: pip install -e '\.\[quality\]'"):
        open_tiny(tmp_path, data, "run")
    assert folder.state_path.read_bytes() == kept


def test_other_heads_or_features_are_refused(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 16)
    with pytest.raises(TrainingError, match="other heads than"):
        open_tiny(tmp_path, data, "run", tables="[projected]\nheads = 2\nhead_channels = 8\n")
    state = trainer.state_dict()
    state["projected"]["sha256"] = "1" * 64
    folder.save_state(state, trainer.config, "data")
    with pytest.raises(TrainingError, match=f"features with sha256 {'1' * 64}"):
        open_tiny(tmp_path, data, "run")
    with pytest.raises(TrainingError, match=r"discriminator has channels \[6, 4, 4, 4\]; the config"):
        open_tiny(tmp_path, data, "run", extra="discriminator_channels = [4, 4, 2, 2]")


def test_a_head_gone_wrong_stops_and_keeps_the_last_good_state(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run")
    run_to(trainer, folder, 96)
    kept = folder.state_path.read_bytes()
    assert trainer.projected is not None
    with torch.no_grad():
        next(trainer.projected.network.heads[0].parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"is nan; the last good state is kept in .*state\.pt"):
        run_to(trainer, folder, 128)
    assert folder.state_path.read_bytes() == kept

    trainer, folder = open_tiny(tmp_path, data, "young")
    assert trainer.projected is not None
    with torch.no_grad():  # not in use below 32 px, so that no loss shows it
        next(trainer.projected.network.heads[0].parameters()).fill_(float("inf"))
    with pytest.raises(DivergedError, match="a weight is not finite; no state was saved yet"):
        run_to(trainer, folder, 16)


def test_heads_come_and_go_in_a_run(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run", tables="")
    run_to(trainer, folder, 120)
    joined, _ = open_tiny(tmp_path, data, "run")
    # The heads know nothing yet: the generator waits for them.
    assert joined.generator_waits_until == 128
    run_to(joined, folder, 132)
    alone, _ = open_tiny(tmp_path, data, "run", tables="")
    assert alone.projected is None
    assert alone.images == 132


def test_another_run_is_begun_with_the_heads_of_one(tmp_path: Path, data: Path) -> None:
    narrow = "discriminator_channels = [4, 4, 2, 2]"
    trainer, folder = open_tiny(tmp_path, data, "run", extra=narrow)
    run_to(trainer, folder, 120)
    checkpoint, critic = tmp_path / "tiny.safetensors", tmp_path / "critic.safetensors"
    export_run(folder, trainer.config, checkpoint, critic)
    assert trainer.projected is not None
    kept = dict(trainer.projected.network.state_dict())

    grown = config_of(tmp_path, extra=narrow)
    begun = open_run(grown, data, RunFolder(tmp_path / "second"), tmp_path / "cache", folder.path)
    assert begun.projected is not None
    assert begun.generator_waits_until == 0
    assert_same(dict(begun.projected.network.state_dict()), kept)

    # A checkpoint has its discriminator's file, which fits; heads begin anew.
    for tables, waits in (("", 0), (PROJECTED, 128)):
        config = config_of(tmp_path, extra=narrow, tables=tables)
        new = RunFolder(tmp_path / "third")
        begun = open_run(config, data, new, tmp_path / "cache", checkpoint, critic)
        assert begun.generator_waits_until == waits
        expected = {
            name: tensor.half().float() for name, tensor in trainer.discriminator.state_dict().items()
        }
        assert_same(dict(begun.discriminator.state_dict()), expected)
    other = config_of(tmp_path, extra="discriminator_channels = [6, 6, 6, 6]")
    with pytest.raises(TrainingError, match=r"discriminator has channels \[4, 4, 2, 2\], of which"):
        open_run(other, data, RunFolder(tmp_path / "fourth"), tmp_path / "cache", folder.path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_run_on_a_gpu_takes_up_one_from_the_cpu(tmp_path: Path, data: Path) -> None:
    trainer, folder = open_tiny(tmp_path, data, "run", extra='device = "cpu"')
    run_to(trainer, folder, 96)
    trainer, folder = open_tiny(tmp_path, data, "run", extra='device = "cuda"')
    run_to(trainer, folder, 128)
    assert trainer.projected is not None
    assert {p.device.type for p in trainer.projected.network.parameters()} == {"cuda"}
