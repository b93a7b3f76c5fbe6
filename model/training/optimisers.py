"""Adam, as a run's config sets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from model.training.config_tables import OptimiserConfig


def adam(parameters: Iterable[torch.nn.Parameter], settings: OptimiserConfig) -> torch.optim.Adam:
    """A new optimiser; its learning rate is set before each step."""
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(parameters, lr=settings.learning_rate, betas=betas, eps=1e-8)


def set_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Have the next steps use another learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def take_state(optimiser: torch.optim.Adam, state: dict[str, Any]) -> None:
    """Take a saved optimiser's moments over; settings such as betas stay this one's."""
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, own in zip(optimiser.param_groups, settings, strict=True):
        group.update(own)
