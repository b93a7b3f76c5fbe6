"""The config of a training run: what is refused, what its schedule means, and those that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.checkpoint import read_header
from model.training.config import TrainingConfig, load_training_config
from model.training.config_tables import Phase
from model.training.errors import TrainingConfigError
from model.training.schedule import position_at
from tests.model.test_training import CHANGES, write_config

REPOSITORY = Path(__file__).parents[2]


def test_the_schedule_fades_each_level_in() -> None:
    phases = (
        Phase(resolution=4, fade_kimg=0, stable_kimg=1, batch=16),
        Phase(resolution=8, fade_kimg=2, stable_kimg=1, batch=8),
    )
    places = [position_at(phases, images) for images in (0, 999, 1000, 2000, 3000, 4000, 10**9)]
    assert [place.level for place in places] == [0, 0, 1, 1, 1, 1, 1]
    assert [place.alpha for place in places] == [1, 1, 0, 0.5, 1, 1, 1]
    assert [place.batch for place in places] == [16, 16, 8, 8, 8, 8, 8]


def test_changes_of_the_learning_rate_must_be_in_order(tmp_path: Path) -> None:
    path = write_config(tmp_path, tables=CHANGES.replace("0.032", "0.008"))
    with pytest.raises(TrainingConfigError, match="in the order of their at_kimg"):
        load_training_config(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("resolution = 8\nch", "resolution = 12\nch", "not a power of two"),
        ("[6, 4]", "[6]", "needs 2 channel counts"),
        ("fade_kimg = 0\n", "fade_kimg = 1\n", "nothing to fade in from"),
        ("resolution = 8\nfade", "resolution = 16\nfade", "phases' resolutions must be"),
        ("batch = 8", "batch = 0", "phase.0.batch"),
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ("seed = 3", "seed = -1", "seed"),
        ("seed = 3", "sead = 3", "sead"),
        ("seed = 3", "seed =", "not TOML"),
    ],
)
def test_configs_that_cannot_be(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = write_config(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TrainingConfigError, match=message) as caught:
        load_training_config(path)
    assert "\n" not in str(caught.value)


def test_shipped_checkpoints_are_of_their_configs() -> None:
    for path in sorted((REPOSITORY / "model" / "training" / "configs").glob("*.toml")):
        config: TrainingConfig = load_training_config(path)
        assert config.name == path.stem
        checkpoint = REPOSITORY / "model" / "checkpoints" / f"{config.name}.safetensors"
        if checkpoint.exists():
            stored = read_header(checkpoint).config
            assert (stored.channels, stored.latent_size) == (config.channels, config.latent_size)
