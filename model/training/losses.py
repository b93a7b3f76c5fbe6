"""Adversarial losses. Penalties on gradients run in fp32, whatever the rest runs in."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Scorer = Callable[[Tensor], Tensor]


def discriminator_ns(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Non-saturating (logistic) loss of the discriminator (arXiv:1406.2661).

    Args:
        real_scores: [N, 1].
        fake_scores: [N, 1].
    """
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def generator_ns(fake_scores: Tensor) -> Tensor:
    """Non-saturating loss of the generator."""
    return F.softplus(-fake_scores).mean()


def discriminator_wgan(real_scores: Tensor, fake_scores: Tensor, drift: float) -> Tensor:
    """Wasserstein loss of the critic, with the paper's drift term that keeps scores near zero."""
    return fake_scores.mean() - real_scores.mean() + drift * real_scores.square().mean()


def generator_wgan(fake_scores: Tensor) -> Tensor:
    """Wasserstein loss of the generator."""
    return -fake_scores.mean()


def r1_penalty(score: Scorer, real: Tensor) -> Tensor:
    """Half the mean squared gradient norm on real images (arXiv:1801.04406).

    Args:
        score: images [N, 3, H, W] to scores [N, 1], in fp32.
        real: [N, 3, H, W].
    """
    inputs = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


def gradient_penalty(score: Scorer, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """WGAN-GP's penalty on gradient norms other than 1 between real and fake (arXiv:1704.00028).

    Args:
        score: images [N, 3, H, W] to scores [N, 1], in fp32.
        real: [N, 3, H, W].
        fake: [N, 3, H, W].
        mix: [N, 1, 1, 1] in 0..1, where between the two.
    """
    inputs = torch.lerp(fake.detach(), real.detach(), mix).requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    return (norms - 1).square().mean()
