"""The projected discriminator's part in a run: its network, its optimiser, and its turns in a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.training.config import TrainingConfig
from model.training.config_tables import ProjectedConfig
from model.training.errors import TrainingError
from model.training.optimisers import adam, set_rate, take_state
from model.training.projected.discriminator import ProjectedDiscriminator, hinge


class ProjectedStep:
    """What `Trainer.step` asks of the projected discriminator.

    Args:
        run: the run's config.
        config: its `[projected]`.
        device: where the run trains.
        seed: of the mixing's and the heads' weights.
    Raises:
        TrainingError: the feature network cannot be had.
    """

    def __init__(self, run: TrainingConfig, config: ProjectedConfig, device: torch.device, seed: int) -> None:
        self._run = run
        self._config = config
        self._device = device
        dtype = torch.bfloat16 if run.precision == "bf16" else torch.float32
        network = ProjectedDiscriminator(config, run.resolution, dtype, seed)
        network.features_to(device)
        layout = {"device": device, "memory_format": torch.channels_last}
        self.network: ProjectedDiscriminator = network.to(**layout)  # type: ignore[call-overload]
        self.optimiser = adam(self.network.heads.parameters(), run.optimiser)

    def train(
        self, real: Tensor, fake: Tensor, images: int, rng: torch.Generator
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Train the heads on one batch.

        Args:
            real: float32 [N, 3, R, R], about -1..1.
            fake: the same, generated; the generator's gradient flows through what is seen of it.
            images: real images shown before it.
            rng: of the augmentation.
        Returns:
            What the heads see of `fake`, for `generator_loss`; and scalars to report.
        """
        with torch.no_grad(), self._autocast():
            real_seen = self.network.look(real, rng)
        with self._autocast():
            fake_seen = self.network.look(fake, rng)
            real_scores = self.network.score(real_seen)
            fake_scores = self.network.score([maps.detach() for maps in fake_seen])
        loss = hinge(real_scores, fake_scores)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        set_rate(self.optimiser, self._run.optimiser.learning_rate_at(images) * self._config.rate_factor)
        self.optimiser.step()
        return fake_seen, {"loss_projected": loss.detach()}

    def generator_loss(self, seen: list[Tensor]) -> Tensor:
        """The generator's hinge loss, a mean over the heads.

        Args:
            seen: what `train` gave.
        """
        self.network.heads.requires_grad_(False)
        with self._autocast():
            scores = self.network.score(seen)
        self.network.heads.requires_grad_(True)
        return -torch.stack([places.mean() for places in scores]).mean()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        return {
            "sha256": self._config.sha256,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a saved run stood.

        Raises:
            TrainingError: that run had other features or other heads.
        """
        if state["sha256"] != self._config.sha256:
            raise TrainingError(
                f"the run's heads were trained on features with sha256 {state['sha256']}; the config's "
                f"[projected] says {self._config.sha256}: say what it was, or choose another run folder"
            )
        if not self._fits(state):
            raise TrainingError(
                "the run has other heads than the config's [projected] says: choose another run folder"
            )
        self.network.load_state_dict(state["network"])
        take_state(self.optimiser, state["optimiser"])

    def take_heads(self, state: dict[str, Any] | None) -> bool:
        """Begin with another run's mixing and heads, if there are any that fit.

        Args:
            state: what `state_dict` gave in that run.
        Returns:
            Whether they were taken over.
        """
        if state is None or state["sha256"] != self._config.sha256 or not self._fits(state):
            return False
        self.network.load_state_dict(state["network"])
        return True

    def _fits(self, state: dict[str, Any]) -> bool:
        own = self.network.state_dict()
        return {name: tensor.shape for name, tensor in state["network"].items()} == {
            name: tensor.shape for name, tensor in own.items()
        }

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._run.precision == "bf16")
