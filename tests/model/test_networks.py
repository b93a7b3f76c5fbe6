"""Progressive GAN networks: the properties that the paper asks for, and the bridge to serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import GeneratorConfig
from model.engines.torch import TorchEngine
from model.networks import Discriminator, EqualConv2d, EqualLinear, Generator, pixel_norm, upsample
from model.seeds import latents

CHANNELS = (12, 10, 8, 6)
LATENT_SIZE = 7


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def generator() -> Generator:
    return Generator(CHANNELS, LATENT_SIZE, rng())


@pytest.fixture
def discriminator() -> Discriminator:
    return Discriminator(CHANNELS, 4, rng(1))


def test_pixel_norm_gives_each_pixel_unit_mean_square() -> None:
    x = torch.randn(2, 5, 3, 3, generator=rng()) * 7
    torch.testing.assert_close(pixel_norm(x).square().mean(dim=1), torch.ones(2, 3, 3))


@pytest.mark.parametrize("layer", [EqualConv2d(64, 96, 3, 1.0, rng()), EqualLinear(64 * 9, 96, 1.0, rng())])
def test_equalised_layers_keep_variance_and_store_unit_weights(layer: EqualConv2d | EqualLinear) -> None:
    shape = (16, 64, 12, 12) if isinstance(layer, EqualConv2d) else (2000, 64 * 9)
    y = layer(torch.randn(*shape, generator=rng(1)))
    inner = y[:, :, 1:-1, 1:-1] if y.dim() == 4 else y
    assert layer.weight.std().item() == pytest.approx(1, abs=0.02)
    assert inner.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("level", range(len(CHANNELS)))
def test_shapes_at_every_level(level: int, generator: Generator, discriminator: Discriminator) -> None:
    images = generator(torch.randn(8, LATENT_SIZE, generator=rng()), level, 0.3)
    assert images.shape == (8, 3, 4 << level, 4 << level)
    assert discriminator(images, level, 0.3).shape == (8, 1)


def test_fading_in_starts_from_the_level_before(generator: Generator, discriminator: Discriminator) -> None:
    z = torch.randn(8, LATENT_SIZE, generator=rng())
    torch.testing.assert_close(generator(z, 2, 0.0), upsample(generator(z, 1)))
    half = torch.lerp(generator(z, 2, 0.0), generator(z, 2, 1.0), 0.5)
    torch.testing.assert_close(generator(z, 2, 0.5), half)
    images = torch.randn(8, 3, 16, 16, generator=rng())
    torch.testing.assert_close(discriminator(images, 2, 0.0), discriminator(F.avg_pool2d(images, 2), 1))


def test_a_new_level_leaves_the_others_alone(generator: Generator, discriminator: Discriminator) -> None:
    images = generator(torch.randn(8, LATENT_SIZE, generator=rng()), 1)
    discriminator(images, 1).sum().backward()
    touched = {name for name, p in generator.named_parameters() if p.grad is not None}
    assert touched == {
        name
        for name, _ in generator.named_parameters()
        if name.startswith(("input.", "blocks.0.", "blocks.1.", "to_rgb.1."))
    }
    assert all(p.grad is None for name, p in discriminator.named_parameters() if name.startswith("blocks.1."))
    assert all(p.grad is not None for name, p in discriminator.named_parameters() if name.startswith("final"))


def test_the_discriminator_sees_whether_a_batch_varies(discriminator: Discriminator) -> None:
    one = torch.randn(1, 3, 8, 8, generator=rng())
    same = one.expand(4, -1, -1, -1)
    varied = torch.cat([one, torch.randn(3, 3, 8, 8, generator=rng(2))])
    assert discriminator(same, 1)[0].item() != pytest.approx(discriminator(varied, 1)[0].item(), abs=1e-4)
    # Groups are strided: with 8 images and groups of 4, images 0, 2, 4, 6 share one.
    first = torch.randn(8, 3, 8, 8, generator=rng(3))
    second = first.clone()
    second[1::2] = torch.randn(4, 3, 8, 8, generator=rng(4))
    torch.testing.assert_close(discriminator(first, 1)[0], discriminator(second, 1)[0])


def test_latents_count_by_direction_alone(generator: Generator) -> None:
    z = torch.randn(4, LATENT_SIZE, generator=rng())
    torch.testing.assert_close(generator(z, 3), generator(z * 9, 3), rtol=1e-3, atol=1e-4)


def test_serving_generates_what_training_generates(generator: Generator, tmp_path: Path) -> None:
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng(5)) * 0.1)
    config = GeneratorConfig(name="tiny", resolution=32, latent_size=LATENT_SIZE, channels=CHANNELS)
    tensors = {name: tensor.numpy() for name, tensor in generator.serving_tensors(3).items()}
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, tensors, config)
    weights, stored = load_checkpoint(path)
    generated = TorchEngine(weights, stored, precision="fp32", threads=1).generate([3, 4], {})
    with torch.no_grad():
        expected = generator(torch.from_numpy(latents([3, 4], LATENT_SIZE)), 3)
    pixels = ((expected + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    assert pixels.std() > 20
    # Stored in fp16: a few grey levels here and there are rounding, more is a layer misplaced.
    difference = np.abs(generated.astype(int) - pixels.astype(int))
    assert difference.max() <= 4
    assert difference.mean() < 0.3
