"""The options of `diptych model add`, besides the form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from model.descriptor import MAX_RESOLUTION, MIN_RESOLUTION, OptionValue
from model.errors import FormError

MAX_OPTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class AddRequest:
    """The options of `diptych model add`.

    Args:
        options: --option KEY=VALUE, by key.
        resolution: the longer side of an image in pixels, or None: detect.
        licence: licence of the weights.
        training_data: description of the training data.
        seconds_per_image: nominal time of one image, or None: measure or assume.
    """

    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    resolution: int | None = None
    licence: str = "unknown"
    training_data: str = ""
    seconds_per_image: float | None = None

    def check(self) -> None:
        """Check the limits. Raises FormError."""
        if self.resolution is not None and not MIN_RESOLUTION <= self.resolution <= MAX_RESOLUTION:
            raise FormError(f"resolution {self.resolution} is outside {MIN_RESOLUTION}..{MAX_RESOLUTION}")
        if len(self.options) > MAX_OPTIONS:
            raise FormError(f"{len(self.options)} options exceed the limit of {MAX_OPTIONS}")

    def only(self, *known: str) -> None:
        """Raise FormError for an option that is not among the known ones."""
        for name in self.options:
            if name not in known:
                raise FormError(f"unknown option {name[:64]}; known options: {', '.join(known)}")

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """An option with a fixed set of values, or None if it is not given. Raises FormError."""
        value = self.options.get(name)
        if value is not None and value not in choices:
            raise FormError(f"option {name} must be one of {', '.join(choices)}, not {str(value)[:40]!r}")
        return None if value is None else str(value)

    def whole(self, name: str, low: int, high: int) -> int | None:
        """An integer option, or None if it is not given. Raises FormError."""
        value = self.options.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise FormError(f"option {name} must be an integer in {low}..{high}, not {str(value)[:40]!r}")
        return value

    def scalars(self) -> dict[str, OptionValue]:
        """All options, as passed to a user's factory. Raises FormError for an invalid one."""
        options: dict[str, OptionValue] = {}
        for name, value in self.options.items():
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                raise FormError(f"option {name[:64]} must be text, a number, true or false")
            if len(name) > 64 or (isinstance(value, str) and len(value) > 2000):
                raise FormError(f"option {name[:64]} is too long: at most 64 characters, values 2,000")
            options[name] = value
        return options
