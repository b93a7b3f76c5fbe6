"""Networks with more feature maps do as the narrow ones did, and then learn with all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from model.errors import CheckpointError
from model.networks import Discriminator, Generator
from model.training.config import load_training_config
from model.training.loop import TrainingLoop, open_run
from model.training.reuse.discriminator_file import KEY, SCHEMA, load_discriminator, save_discriminator
from model.training.reuse.widen import can_widen, widen_discriminator, widen_generator
from model.training.state import RunFolder
from tests.model.test_training import data
from tests.model.test_warm_start import grown_config, large_data, trained

__all__ = ["data", "large_data"]

WIDER = [(6, 4, 6), (12, 4, 3), (12, 12, 9, 5), (6, 8, 3, 2)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_biases(network: torch.nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, generator=seeded(len(name)))


@pytest.mark.parametrize("channels", WIDER)
def test_a_wider_generator_generates_the_same(channels: Sequence[int]) -> None:
    narrow, wide = Generator((6, 4, 3), 5, seeded(0)), Generator(channels, 5, seeded(1))
    with_biases(narrow)
    latents = torch.randn(4, 5, generator=seeded(2))
    widen_generator(narrow, wide, seeded(3))
    torch.testing.assert_close(wide(latents, 2), narrow(latents, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [*WIDER, (12, 4)])
def test_a_wider_discriminator_scores_the_same(channels: Sequence[int]) -> None:
    narrow, wide = Discriminator((6, 4, 3), 4, seeded(0)), Discriminator(channels, 4, seeded(1))
    with_biases(narrow)
    widen_discriminator(narrow, wide, seeded(2))
    for level in range(min(3, len(channels))):
        images = torch.randn(8, 3, 4 << level, 4 << level, generator=seeded(3))
        torch.testing.assert_close(wide(images, level), narrow(images, level), rtol=1e-4, atol=1e-5)


def test_repeats_get_gradients_of_their_own() -> None:
    """Else they would stay equal for ever, and the network as narrow as it was."""
    narrow, wide = Generator((4, 4), 5, seeded(0)), Generator((4, 8), 5, seeded(1))
    widen_generator(narrow, wide, seeded(2))
    wide(torch.randn(4, 5, generator=seeded(3)), 1).square().mean().backward()
    gradient = wide.layers(1)["blocks.1.conv0"].weight.grad
    assert gradient is not None
    assert not torch.allclose(gradient[:4], gradient[4:], rtol=0.1)


def test_which_networks_can_be_widened() -> None:
    assert can_widen((6, 4), (6, 4, 3))
    assert can_widen((6, 4), (12, 4))
    assert not can_widen((6, 4), (9, 4))
    assert not can_widen((6, 4), (6, 2))


def test_a_run_begins_wider_than_what_it_begins_with(tmp_path: Path, data: Path, large_data: Path) -> None:
    first, checkpoint = trained(tmp_path, data)
    _, _, state = first.read_state()
    narrow = Generator((6, 4), state["sheet_latents"].shape[1], seeded(0))
    narrow.load_state_dict(state["average"])
    config = load_training_config(grown_config(tmp_path, "[12, 4, 4]"))
    critic = tmp_path / "critic.safetensors"
    for source in (first.path, checkpoint):
        folder = RunFolder(tmp_path / f"wider-{source.name}")
        trainer = open_run(config, large_data, folder, tmp_path / "cache", source)
        latents = trainer.sheet_latents
        torch.testing.assert_close(trainer.average(latents, 1), narrow(latents, 1), rtol=0, atol=0.05)
        assert TrainingLoop(trainer, folder, lambda _: None).run(1664)
    again = open_run(config, large_data, RunFolder(tmp_path / "critic"), tmp_path / "cache", checkpoint)
    assert again.generator_waits_until == 1600 + 8000, "a new discriminator learns alone at first"
    save_discriminator(critic, trainer.discriminator.state_dict(), config.channels)
    # The discriminator of a larger resolution serves as well: levels that are too many are left out.
    small = Discriminator((12, 4), 4, seeded(0))
    load_discriminator(critic, small, seeded(1))
    large = trainer.discriminator.state_dict()
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(tensor, large[name].half().float(), rtol=0, atol=0)
    for one, waits in ((critic, 8000), (_critic_of(first, tmp_path), 0)):
        begun = open_run(config, large_data, RunFolder(tmp_path / "x"), tmp_path / "cache", checkpoint, one)
        assert begun.generator_waits_until == (1600 + waits if waits else 0)


def test_one_flipped_bit_in_a_discriminator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "critic.safetensors"
    save_discriminator(path, Discriminator((6, 4), 4, seeded(0)).state_dict(), (6, 4))
    load_discriminator(path, Discriminator((6, 4), 4, seeded(1)), seeded(2))
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged: its bytes are not those that were saved"):
        load_discriminator(path, Discriminator((6, 4), 4, seeded(1)), seeded(2))


def test_a_discriminator_of_before_it_was_checksummed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "critic.safetensors"
    critic = Discriminator((6, 4), 4, seeded(0))
    about = json.dumps({"schema": SCHEMA, "channels": [6, 4]})
    path.write_bytes(
        save({name: tensor.half() for name, tensor in critic.state_dict().items()}, {KEY: about})
    )
    assert load_discriminator(path, Discriminator((6, 4), 4, seeded(1)), seeded(2)) == (6, 4)


def _critic_of(first: RunFolder, tmp_path: Path) -> Path:
    path = tmp_path / "own.safetensors"
    save_discriminator(path, first.read_state()[2]["discriminator"], (6, 4))
    return path
