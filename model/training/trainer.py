"""One run's networks, optimisers and randomness, and the step that moves them."""

from __future__ import annotations

import copy
import logging
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from model.networks import Discriminator, Generator, upsample
from model.training import losses
from model.training.config import TrainingConfig
from model.training.config_tables import ProjectedWeights
from model.training.dataset import Dataset
from model.training.optimisers import adam, set_rate, take_state
from model.training.order import DataOrder
from model.training.projected.step import ProjectedStep
from model.training.reuse.teacher import Teacher, detail_distance, feature_distance
from model.training.schedule import Position, position_at

SHEET_LATENTS = 64
EMA_WARMUP = 10
"""The average's half-life starts this many steps short, so that the first weights are soon forgotten."""

log = logging.getLogger(__name__)


class Trainer:
    """A training run between two steps.

    Args:
        config: the run's config.
        dataset: real images, at least as large as the config's resolution.
        device: "cpu" or "cuda".
        teacher: as `config.teacher` asks for.
    Raises:
        TrainingError: `config.projected` asks for a feature network that cannot be had.
    """

    def __init__(
        self, config: TrainingConfig, dataset: Dataset, device: str, teacher: Teacher | None = None
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.device = torch.device(device)
        self.teacher = teacher and teacher.to(self.device)
        self.images = 0
        self.steps = 0
        self.generator_waits_until = 0  # images; a warm start gives a new discriminator time to catch up
        # Drawn on the CPU whatever the device, so that a run means the same on both.
        self.rng = torch.Generator().manual_seed(config.seed)
        self.order = DataOrder(dataset.count, config.seed + 1)
        weights = torch.Generator().manual_seed(config.seed + 2)
        generator = Generator(config.channels, config.latent_size, weights)
        discriminator = Discriminator(config.critic_channels, config.stddev_group, weights)
        self.sheet_latents = torch.randn(SHEET_LATENTS, config.latent_size, generator=weights).to(self.device)
        layout = {"device": self.device, "memory_format": torch.channels_last}
        self.generator: Generator = generator.to(**layout)  # type: ignore[call-overload]
        self.discriminator: Discriminator = discriminator.to(**layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        if config.compile:
            self.generator.compile_activation()
        self.generator_optimiser = adam(self.generator.parameters(), config.optimiser)
        self.discriminator_optimiser = adam(self.discriminator.parameters(), config.optimiser)
        self.projected: ProjectedStep | None = None
        if config.projected is not None:
            self.projected = ProjectedStep(config, config.projected, self.device, config.seed + 4)

    @property
    def position(self) -> Position:
        """Where in the schedule the next step is."""
        return position_at(self.config.phases, self.images)

    def step(self) -> dict[str, Tensor]:
        """Train the networks on one batch.

        Returns:
            Scalars on the device, when taken: loss_d, real_score, fake_score, penalty, loss_projected,
            loss_g, loss_g_projected, teacher_l1, teacher_details and teacher_features.
        """
        position = self.position
        weights = self.config.discriminator_weights(position.resolution, self.images)
        self._set_learning_rate()
        real = self.real_batch(position)
        latents = self._randn(position.batch, self.config.latent_size)
        with self._autocast():
            fake = self.generator(latents, position.level, position.alpha)
        figures: dict[str, Tensor] = {}
        seen: list[Tensor] = []
        if weights.pixel_weight:
            figures |= self._train_discriminator(position, real, fake.detach().float())
        if self.projected and weights.weight:
            seen, more = self.projected.train(real, fake.float(), self.images, self.rng)
            figures |= more
        if self.images >= self.generator_waits_until:
            figures |= self._train_generator(position, latents, fake, seen, weights)
            self._update_average(position.batch)
        self.images += position.batch
        self.steps += 1
        return figures

    def real_batch(self, position: Position) -> Tensor:
        """The next real images, mirrored at random, faded as the generator's are.

        Returns:
            float32 [batch, 3, R, R] in -1..1.
        """
        indices = self.order.take(position.batch).numpy()
        pixels = np.ascontiguousarray(self.dataset.at(position.resolution)[indices])
        real = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.config.mirror:
            flipped = torch.rand(position.batch, 1, 1, 1, generator=self.rng).to(self.device) < 0.5
            real = torch.where(flipped, real.flip(3), real)
        return _faded(real, position)

    @torch.no_grad()
    def generate(self, latents: Tensor) -> Tensor:
        """Generate with the averaged generator at the present level, in fp32.

        Returns:
            uint8 [N, R, R, 3] on the CPU.
        """
        position = self.position
        images: Tensor = self.average(latents, position.level, position.alpha)
        return ((images + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()

    def is_finite(self) -> bool:
        """Whether every weight of the networks is a finite number."""
        tensors = [*self.generator.parameters(), *self.discriminator.parameters()]
        if self.projected:
            tensors += self.projected.network.parameters()
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        projected = {"projected": self.projected.state_dict()} if self.projected else {}
        return {
            **projected,
            "images": self.images,
            "steps": self.steps,
            "generator_waits_until": self.generator_waits_until,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "rng": self.rng.get_state(),
            "order": self.order.state_dict(),
            "sheet_latents": self.sheet_latents.cpu(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a saved run stood. Settings such as the learning rate stay those of the config."""
        self.images = int(state["images"])
        self.steps = int(state["steps"])
        self.generator_waits_until = int(state.get("generator_waits_until", 0))
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.average.load_state_dict(state["average"])
        for name in ("generator_optimiser", "discriminator_optimiser"):
            take_state(getattr(self, name), state[name])
        self.rng.set_state(state["rng"])
        self.order.load_state_dict(state["order"])
        self.sheet_latents = state["sheet_latents"].to(self.device)
        if self.projected and "projected" in state:
            self.projected.load_state_dict(state["projected"])
        elif self.projected:
            log.info("the run had no projected discriminator yet: a new one begins")
            self.let_generator_wait()
        elif "projected" in state:
            log.info("the config has no [projected]: the run's projected discriminator is left behind")

    def let_generator_wait(self) -> None:
        """Train discriminators alone for the config's `discriminator_alone_kimg` from here on."""
        self.generator_waits_until = self.images + round(self.config.discriminator_alone_kimg * 1000)

    def _train_discriminator(self, position: Position, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        loss, net = self.config.loss, self.discriminator
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        with self._autocast():
            real_scores = net(real, position.level, position.alpha).float()
            fake_scores = net(fake, position.level, position.alpha).float()
        if loss.kind == "ns-r1":
            total = losses.discriminator_ns(real_scores, fake_scores)
        else:
            total = losses.discriminator_wgan(real_scores, fake_scores, loss.drift)
        torch.autograd.backward(total)
        figures = {
            "loss_d": total.detach(),
            "real_score": real_scores.detach().mean(),
            "fake_score": fake_scores.detach().mean(),
        }
        penalty, weight = self._penalty(position, real, fake)
        if penalty is not None:
            torch.autograd.backward(penalty * weight)
            figures["penalty"] = penalty.detach()
        self.discriminator_optimiser.step()
        return figures

    def _penalty(self, position: Position, real: Tensor, fake: Tensor) -> tuple[Tensor | None, float]:
        loss = self.config.loss

        def score(images: Tensor) -> Tensor:
            scores: Tensor = self.discriminator(images, position.level, position.alpha)
            return scores

        if loss.kind == "wgan-gp":
            mix = torch.rand(len(real), 1, 1, 1, generator=self.rng).to(self.device)
            return losses.gradient_penalty(score, real, fake, mix), loss.gamma
        if loss.gamma and self.steps % loss.r1_every == 0:
            return losses.r1_penalty(score, real), loss.gamma * loss.r1_every
        return None, 0.0

    def _train_generator(
        self,
        position: Position,
        latents: Tensor,
        fake: Tensor,
        seen: list[Tensor],
        weights: ProjectedWeights,
    ) -> dict[str, Tensor]:
        self.generator_optimiser.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        figures: dict[str, Tensor] = {}
        loss = self._to_teacher(position, latents, fake, figures)
        if weights.pixel_weight:
            with self._autocast():
                scores = self.discriminator(fake.float(), position.level, position.alpha).float()
            ns = self.config.loss.kind == "ns-r1"
            part = losses.generator_ns(scores) if ns else losses.generator_wgan(scores)
            figures["loss_g"] = part.detach()
            loss = loss + weights.pixel_weight * part
        if self.projected and weights.weight:
            part = self.projected.generator_loss(seen)
            figures["loss_g_projected"] = part.detach()
            loss = loss + weights.weight * part
        torch.autograd.backward(loss)
        self.discriminator.requires_grad_(True)
        self.generator_optimiser.step()
        return figures

    def _to_teacher(
        self, position: Position, latents: Tensor, fake: Tensor, figures: dict[str, Tensor]
    ) -> Tensor:
        nothing = fake.new_zeros((), dtype=torch.float32)
        if self.teacher is None or self.config.teacher is None:
            return nothing
        weights = self.config.teacher.weights_at(self.images)
        if not (weights.weight or weights.feature_weight or weights.detail_weight):
            return nothing
        with torch.no_grad(), self._autocast():
            wanted = _faded(self.teacher.generate(latents, position.level), position)
        distances = {"teacher_l1": (weights.weight, F.l1_loss(fake.float(), wanted))}
        if weights.detail_weight:
            distances["teacher_details"] = weights.detail_weight, detail_distance(fake.float(), wanted)
        if weights.feature_weight and position.level:
            with self._autocast():
                ours = self.discriminator.features(fake.float(), position.level)
                with torch.no_grad():
                    theirs = self.discriminator.features(wanted, position.level)
            distances["teacher_features"] = weights.feature_weight, feature_distance(ours, theirs)
        figures |= {name: distance.detach() for name, (_, distance) in distances.items()}
        return torch.stack([weight * distance for weight, distance in distances.values()]).sum()

    @torch.no_grad()
    def _update_average(self, batch: int) -> None:
        keep = 0.5 ** (batch / (self.config.ema_kimg * 1000))
        keep = min(keep, (1 + self.steps) / (EMA_WARMUP + self.steps))
        averaged: list[Tensor] = [*self.average.parameters()]
        current: list[Tensor] = [*self.generator.parameters()]
        torch._foreach_lerp_(averaged, current, 1 - keep)

    def _set_learning_rate(self) -> None:
        settings = self.config.optimiser
        rate = settings.learning_rate_at(self.images)
        set_rate(self.generator_optimiser, rate * settings.generator_factor)
        set_rate(self.discriminator_optimiser, rate)

    def _randn(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.rng).to(self.device)

    def _autocast(self) -> torch.autocast:
        enabled = self.config.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)


def _faded(images: Tensor, position: Position) -> Tensor:
    if position.alpha == 1:
        return images
    return torch.lerp(upsample(F.avg_pool2d(images, 2)), images, position.alpha)
