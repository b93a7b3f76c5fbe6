"""Options that several benchmarks take, and what is checked of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from diptych.commands.options import Parsed, default_option, number_option, url_option
from results.targets import DEFAULT_TARGETS

if TYPE_CHECKING:
    from bench.runs.thresholds import Threshold
    from results.targets import Target

Command = TypeVar("Command", bound=Callable[..., Any])
_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FLAGS: Final = {
    "owned": "--i-own-this-host",
    "account": "--as-account",
    "project": "--project",
    "store_url": "--store",
    "container_url": "--container-url",
    "function_url": "--function-url",
    "idle_s": "--idle",
    "burst": "--burst",
}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration: write 90s, 10m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def _per_second(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(s|m|h))?", text.strip())
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is not a rate: write 5/s or 300/m")
    return float(match[1]) / _UNITS[match[2] or "s"]


DURATION: Final = Parsed("duration", _seconds)
RATE: Final = Parsed("rate", _per_second)


def duration_option(flag: str, default: str | None, text: str) -> Callable[[Command], Command]:
    """A duration; the parameter is named after the flag, in seconds."""
    name = f"{flag.removeprefix('--').replace('-', '_')}_s"
    return default_option(f"{flag} {name}", DURATION, default, text)


def target_option(*names: str) -> Callable[[Command], Command]:
    """--target, once for each; the container and the function by default."""

    def chosen(_context: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value)) or DEFAULT_TARGETS

    return click.option(
        "--target",
        "targets",
        type=click.Choice(names),
        multiple=True,
        callback=chosen,
        help="Measure this target; repeat for several [container and function].",
    )


def fail_if_option(example: str) -> Callable[[Command], Command]:
    """--fail-if, once for each condition."""
    text = f"Exit with status 3 if the condition holds, such as '{example}'."
    return click.option("--fail-if", multiple=True, metavar="CONDITION", help=text)


def out_option(command: str, more: str = "") -> Callable[[Command], Command]:
    """--out, by default a new folder named after command and time."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=lambda: Path(f"bench-{command}-{time.strftime('%Y%m%d-%H%M%S')}"),
        help=f"Write the run to this folder{more} [bench-{command}-DATE-TIME].",
    )


arrivals_option = default_option(
    "--arrivals", click.Choice(["poisson", "constant"]), "poisson", "Space the arrivals at random or evenly."
)
model_option = click.option(
    "--model", default="faces-64", show_default=True, help="Generate with this model."
)
cloud_option = click.option("--cloud", is_flag=True, help="Measure the deployed targets (docs/benchmark.md).")
owned_option = click.option(
    "--i-own-this-host", "owned", multiple=True, metavar="HOST", help="Allow load on this other machine."
)
account_option = click.option(
    "--as-account", "account", default="", help="With --cloud: impersonate this service account."
)
project_option = click.option(
    "--project", default="", help="With --cloud: read instance counts and billed time of this project."
)
store_option = url_option(
    "--store", "With --cloud: read records from gs://bucket/prefix [DIPTYCH_STORE_URL]."
)


def seed_option(what: str) -> Callable[[Command], Command]:
    """--seed of something."""
    return number_option("--seed", 0, None, 1, f"Seed the {what}.")


def check_cloud(given: Mapping[str, Any], *names: str) -> None:
    """Refuse options that need --cloud without it.

    Args:
        given: the options by name.
        names: of those that need it; none: all that may.
    Raises:
        click.UsageError: one was given.
    """
    if given["cloud"]:
        return
    for name in names or _FLAGS:
        if given.get(name):
            raise click.UsageError(f"{_FLAGS[name]} needs --cloud")


def urls_of(given: Mapping[str, Any]) -> dict[Target, str]:
    """The addresses of the targets, by target.

    Raises:
        click.UsageError: --cloud is without one of them.
    """
    urls: dict[Target, str] = {
        name: given[f"{name}_url"] for name in given["targets"] if given[f"{name}_url"]
    }
    if given["cloud"] and len(urls) < len(given["targets"]):
        raise click.UsageError(
            "--cloud needs the deployed --container-url and --function-url, or --target and one URL"
        )
    return urls


def read_thresholds(
    texts: tuple[str, ...], samples: Collection[str], numbers: Collection[str]
) -> list[Threshold]:
    """Read --fail-if, before anything is started.

    Args:
        texts: as the user wrote them.
        samples: names of the quantities that will be measured.
        numbers: names of the single figures.
    Raises:
        click.UsageError: one is not a condition, or names what will not be measured.
    """
    from bench.errors import BenchError
    from bench.runs.thresholds import parse_thresholds

    try:
        return parse_thresholds(texts, samples, numbers)
    except BenchError as error:
        raise click.UsageError(str(error)) from error
