"""The targets: who can generate, and all that the rest of the code knows of each by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Target = Literal["container", "function", "celery"]


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """One target.

    Args:
        label: its name for people.
        server: what takes its tasks, as titles and the page name it.
        colour: "#rrggbb", on white.
        dark_colour: "#rrggbb", on black.
        default: a job that names no target is for this one, too.
        pushed: its tasks are pushed to it over HTTP, to the setting `<name>_url`; Pub/Sub reaches it. Else it
            takes them off its queue itself.
    """

    label: str
    server: str
    colour: str
    dark_colour: str
    default: bool
    pushed: bool


TARGET_INFO: Final[Mapping[Target, TargetInfo]] = {
    "container": TargetInfo(
        label="Container",
        server="gunicorn",
        colour="#3457d5",
        dark_colour="#8ba4ff",
        default=True,
        pushed=True,
    ),
    "function": TargetInfo(
        label="Function",
        server="functions-framework",
        colour="#b85c00",
        dark_colour="#f0a35a",
        default=True,
        pushed=True,
    ),
    "celery": TargetInfo(
        label="Celery",
        server="Celery workers",
        colour="#2f7d4f",
        dark_colour="#74c795",
        default=False,
        pushed=False,
    ),
}
TARGETS: Final[tuple[Target, ...]] = tuple(TARGET_INFO)
DEFAULT_TARGETS: Final[tuple[Target, ...]] = tuple(name for name in TARGETS if TARGET_INFO[name].default)
PUSHED_TARGETS: Final[tuple[Target, ...]] = tuple(name for name in TARGETS if TARGET_INFO[name].pushed)


def target_css() -> str:
    """A style sheet: each target's colour as a variable of its name, and as --accent in what is the target's.

    The document's `color-scheme` says which of the two colours holds.
    """
    colours = [
        f"  --{name}: light-dark({info.colour}, {info.dark_colour});" for name, info in TARGET_INFO.items()
    ]
    accents = [f'[data-target="{name}"] {{ --accent: var(--{name}); }}' for name in TARGETS]
    return "\n".join([":root {", *colours, "}", *accents, ""])
