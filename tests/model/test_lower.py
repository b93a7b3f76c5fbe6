"""A run that begins with the lower levels of networks of a higher resolution, and one that has a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file

from model.checkpoint import load_checkpoint, save_checkpoint
from model.networks import LEAKY_SLOPE, Discriminator, Generator
from model.training.config import load_training_config
from model.training.errors import TrainingConfigError, TrainingError
from model.training.loop import TrainingLoop, open_run
from model.training.reuse.finished import load_generator
from model.training.reuse.lower import halved, lower_discriminator, lower_generator, sample_images
from model.training.reuse.teacher import detail_distance
from model.training.state import RunFolder, export_run
from tests.model.test_training import assert_same, data, run_to, write_config
from tests.model.test_warm_start import grown_config, large_data, trained
from tests.model.test_widen import seeded, with_biases

__all__ = ["data", "large_data"]

TEACHER = """
[optimiser]
generator_factor = 0.5
[teacher]
weight = 50
feature_weight = 5
detail_weight = 2
[[teacher.change]]
at_kimg = 1.632
weight = 0
"""


class High(NamedTuple):
    """A run at 16 px, and what it was exported to."""

    run: RunFolder
    checkpoint: Path
    critic: Path


@pytest.fixture(scope="module")
def high(tmp_path_factory: pytest.TempPathFactory) -> High:
    place = tmp_path_factory.mktemp("high")
    images = place / "images"
    images.mkdir()
    np.save(images / "noise.npy", np.random.default_rng(1).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8))
    found = High(RunFolder(place / "run"), place / "high.safetensors", place / "critic.safetensors")
    config = load_training_config(grown_config(place))
    run_to(open_run(config, images, found.run, place / "cache"), found.run, 2608)
    export_run(found.run, config, found.checkpoint, found.critic)
    return found


def test_lower_levels_generate_what_a_layer_to_colours_can_make_of_them() -> None:
    """No other 1x1 layer comes nearer to the halved images on the latents of the fit."""
    high = Generator((6, 4, 3, 2), 5, seeded(0))
    with_biases(high)
    low = lower_generator(high, 2, seeded(1))
    assert low.channels == (6, 4)
    latents = torch.randn(8, 8, 5, generator=seeded(1)).flatten(0, 1)

    def distance() -> float:
        return float(F.mse_loss(low(latents, 1), halved(high(latents, 3), 2)))

    with torch.no_grad():
        torch.testing.assert_close(low.features(latents, 1), high.features(latents, 1))
        best = distance()
        assert best < float(F.mse_loss(high(latents, 1), halved(high(latents, 3), 2)))
        for parameter in low.to_rgb[1].parameters():
            for step in (0.01, -0.01):
                parameter.add_(step)
                assert distance() > best
                parameter.sub_(step)


def test_lower_levels_of_a_discriminator_see_about_the_same() -> None:
    high = Discriminator((6, 4, 3), 4, seeded(0))
    with_biases(high)
    images = torch.randn(32, 3, 16, 16, generator=seeded(1))
    low = lower_discriminator(high, 2, images)
    with torch.no_grad():
        wanted = F.avg_pool2d(high.features(images, 2)[1], 2)
        wanted = torch.where(wanted > 0, wanted, wanted / LEAKY_SLOPE)
        layer = low.from_rgb[1]
        best = float(F.mse_loss(layer(halved(images, 1)), wanted))
        for parameter in layer.parameters():
            for step in (0.01, -0.01):
                parameter.add_(step)
                assert float(F.mse_loss(layer(halved(images, 1)), wanted)) > best
                parameter.sub_(step)
    for name, tensor in low.state_dict().items():
        assert name.startswith("from_rgb.1.") or torch.equal(tensor, high.state_dict()[name])


@pytest.mark.parametrize("channels", ["[6, 4]", "[6, 8]"])
def test_a_run_takes_the_lower_levels(channels: str, tmp_path: Path, data: Path, high: High) -> None:
    path = write_config(tmp_path, extra="discriminator_alone_kimg = 0.08")
    path.write_text(path.read_text(encoding="utf-8").replace("[6, 4]", channels), encoding="utf-8")
    config = load_training_config(path)
    image_generator, _ = load_generator(high.checkpoint)
    for number, (source, discriminator) in enumerate(
        ((high.checkpoint, high.critic), (high.checkpoint, None), (high.run.path, None))
    ):
        folder = RunFolder(tmp_path / f"low{number}")
        trainer = open_run(config, data, folder, tmp_path / "cache", source, discriminator)
        assert (trainer.images, trainer.generator_waits_until) == (2608, 2688)
        assert trainer.position.resolution == 8
        torch.testing.assert_close(
            trainer.average(trainer.sheet_latents, 1),
            lower_generator(image_generator, 2, seeded(config.seed + 3))(trainer.sheet_latents, 1),
            rtol=5e-2,
            atol=5e-3,
        )
        assert TrainingLoop(trainer, folder, lambda _: None).run(2720)
        export_run(folder, config, tmp_path / "low.safetensors")


def test_a_discriminator_of_a_higher_resolution_is_fitted(tmp_path: Path, data: Path, high: High) -> None:
    config = load_training_config(write_config(tmp_path))
    trainer = open_run(
        config, data, RunFolder(tmp_path / "low"), tmp_path / "c", high.checkpoint, high.critic
    )
    kept = {name: tensor.float() for name, tensor in load_file(high.critic).items()}
    deep = Discriminator((6, 4, 3), config.stddev_group, seeded(0))
    deep.load_state_dict(kept)
    image_generator, _ = load_generator(high.checkpoint)
    images = sample_images(image_generator, seeded(config.seed + 3))
    fitted = lower_discriminator(deep, 2, images)
    assert_same(dict(trainer.discriminator.state_dict()), dict(fitted.state_dict()))


@pytest.mark.parametrize(
    ("setting", "figure", "share"),
    [("weight", "teacher_l1", 0.5), ("detail_weight", "teacher_details", 0.75)],
)
def test_a_teacher_is_learnt_from(
    setting: str, figure: str, share: float, tmp_path: Path, data: Path, high: High
) -> None:
    """Beside an adversarial loss that hardly counts, the distance falls; without its weight it does not."""
    distances = []
    for weight in ("1e-9", "1000"):
        folder = RunFolder(tmp_path / weight)
        tables = "[teacher]\n" + ("" if setting == "weight" else "weight = 0\n") + f"{setting} = {weight}"
        config = load_training_config(write_config(tmp_path, tables=tables))
        trainer = open_run(config, data, folder, tmp_path / "cache", teacher=high.checkpoint)
        distances.append(run_to(trainer, folder, 2400)[-1].figures[figure])
    assert distances[1] < distances[0] * share


def test_details_are_what_a_blur_takes_away() -> None:
    image = torch.rand(2, 3, 8, 8, generator=seeded(0))
    assert float(detail_distance(image, image)) == 0
    assert float(detail_distance(image + 0.5, image)) == pytest.approx(0, abs=1e-5)
    assert float(detail_distance(-3 * image, image)) == pytest.approx(4, rel=1e-5)
    assert float(detail_distance(image, torch.zeros_like(image))) > 100


def test_a_run_with_a_teacher_goes_on_equal_to_the_last_bit(tmp_path: Path, data: Path, high: High) -> None:
    config = load_training_config(
        write_config(
            tmp_path, extra="discriminator_alone_kimg = 0.008", tables=TEACHER.replace("1.632", "2.65")
        )
    )
    states, start = [], (high.checkpoint, high.critic, high.checkpoint)
    for stops in ((2720,), (2624, 2656, 2720)):
        folder = RunFolder(tmp_path / f"stops{len(stops)}")
        for stop in stops:
            trainer = open_run(config, data, folder, tmp_path / "cache", *start)
            ticks = run_to(trainer, folder, stop)
            assert ("teacher_l1" in ticks[0].figures) == (stop < 2720 or len(stops) == 1)
            rates = [
                optimiser.param_groups[0]["lr"]
                for optimiser in (trainer.generator_optimiser, trainer.discriminator_optimiser)
            ]
            assert rates == [0.001, 0.002]
        states.append(trainer.state_dict())
    assert_same(*states)


def test_what_cannot_be_a_teacher(tmp_path: Path, data: Path, large_data: Path, high: High) -> None:
    plain = load_training_config(write_config(tmp_path))
    taught = load_training_config(write_config(tmp_path, tables=TEACHER))
    folder = RunFolder(tmp_path / "x")
    with pytest.raises(TrainingError, match=r"has no \[teacher\]"):
        open_run(plain, data, folder, tmp_path / "cache", teacher=high.checkpoint)
    with pytest.raises(TrainingError, match=r"say which checkpoint with --teacher"):
        open_run(taught, data, folder, tmp_path / "cache")
    small = tmp_path / "small.safetensors"
    run_to(open_run(plain, data, folder, tmp_path / "cache"), folder, 608)
    export_run(folder, plain, small)
    grown = load_training_config(grown_config(tmp_path)).model_copy(update={"teacher": taught.teacher})
    with pytest.raises(TrainingError, match="a teacher of this run must have 5 latents and 16 px or more"):
        open_run(grown, large_data, RunFolder(tmp_path / "y"), tmp_path / "cache", teacher=small)
    write_config(tmp_path, tables=TEACHER + "[[teacher.change]]\nat_kimg = 1\nweight = 3")
    with pytest.raises(TrainingConfigError, match="the teacher's weights must come in the order"):
        load_training_config(tmp_path / "tiny.toml")


def test_constants_that_training_does_not_know_are_refused(tmp_path: Path, data: Path) -> None:
    _, checkpoint = trained(tmp_path, data)
    arrays, about = load_checkpoint(checkpoint)
    save_checkpoint(checkpoint, arrays, about.model_copy(update={"leaky_slope": 0.1}))
    config = load_training_config(write_config(tmp_path))
    taught = load_training_config(write_config(tmp_path, tables=TEACHER))
    new, cache = RunFolder(tmp_path / "new"), tmp_path / "cache"
    with pytest.raises(TrainingError, match=r"leaky_slope 0\.1 .* training knows 0\.2"):
        open_run(config, data, new, cache, checkpoint)
    with pytest.raises(TrainingError, match=r"leaky_slope 0\.1 .* training knows 0\.2"):
        open_run(taught, data, new, cache, teacher=checkpoint)


def test_halving_takes_the_mean_of_what_can_be_shown() -> None:
    images = torch.tensor([[-3.0, 1.0], [0.5, 0.5]]).expand(1, 3, 2, 2)
    np.testing.assert_allclose(halved(images, 1).numpy(), np.full((1, 3, 1, 1), 0.25))
    assert halved(images, 0) is images
