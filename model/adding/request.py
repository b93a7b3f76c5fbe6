"""What an operator says of a model that is added, beside its form."""

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
    """What `diptych model add` was given.

    Args:
        options: --option KEY=VALUE, by key.
        resolution: the longer side of an image in pixels, or None: find out.
        licence: licence of the weights.
        training_data: what it was trained on, in words.
        seconds_per_image: nominal time of one image, or None: find out, or guess.
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
            raise FormError(f"{len(self.options)} options are more than {MAX_OPTIONS}")

    def only(self, *known: str) -> None:
        """Refuse options that a family does not know. Raises FormError, listing those it knows."""
        for name in self.options:
            if name not in known:
                raise FormError(f"unknown option {name[:64]}: there are {', '.join(known)}")

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """An option that is one of several words, or None if it is not given. Raises FormError."""
        value = self.options.get(name)
        if value is not None and value not in choices:
            raise FormError(f"option {name} must be one of {', '.join(choices)}, not {str(value)[:40]!r}")
        return None if value is None else str(value)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """An option that is a whole number, or None if it is not given. Raises FormError."""
        value = self.options.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FormError(
                f"option {name} must be a whole number in {least}..{most}, not {str(value)[:40]!r}"
            )
        return value

    def scalars(self) -> dict[str, OptionValue]:
        """All options, as a user's own factory gets them. Raises FormError for one that is none."""
        found: dict[str, OptionValue] = {}
        for name, value in self.options.items():
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                raise FormError(f"option {name[:64]} must be a text, a number, true or false")
            if len(name) > 64 or (isinstance(value, str) and len(value) > 2000):
                raise FormError(f"option {name[:64]} is too long: names have 64 characters, values 2,000")
            found[name] = value
        return found
