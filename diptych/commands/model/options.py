"""Options that the model commands share, and the loading of the model that they choose."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diptych.commands.options import all_options, number_option, precision_option, settings_of

if TYPE_CHECKING:
    from model.protocol import Engine
    from model.registry import ModelInfo, Registry

name_argument = click.argument("name", metavar="NAME")
model_dir_option = click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="Folder of your own models.  [default: DIPTYCH_MODEL_DIR, or a folder of the user's]",
)
seed_option = number_option("--seed", 0, 2**63 - 1, 7, "Seed of the job.")


engine_options = all_options(
    model_dir_option,
    click.option(
        "--engine",
        type=click.Choice(["openvino", "torch"]),
        help="Inference engine.  [default: DIPTYCH_ENGINE, or openvino]",
    ),
    precision_option,
    number_option("--threads", 1, 64, 1, "Inference threads."),
)
"""What chooses an engine."""


def open_registry(model_dir: Path | None) -> Registry:
    """Open the registry of shipped models and those in the model folder."""
    from model.registry import Registry

    return Registry(settings_of(model_dir=model_dir).model_dir)


def require_model_dir(model_dir: Path | None) -> Path:
    """The folder that models are written to. Raises UsageError if there is none."""
    chosen = settings_of(model_dir=model_dir).model_dir
    if chosen is None:
        raise click.UsageError("no folder for models: give --model-dir or DIPTYCH_MODEL_DIR")
    return chosen


def checked_params(
    name: str, params: tuple[tuple[str, Any], ...], model_dir: Path | None
) -> dict[str, str | int | float | bool | None]:
    """Validate params as a submission does. Raises ModelError."""
    from model.families import validate_params

    info = open_registry(model_dir).get(name)
    return validate_params(info.family, dict(params), info.takes)


def load(
    name: str, *, model_dir: Path | None, engine: str | None, precision: str, threads: int
) -> tuple[ModelInfo, Engine]:
    """Load a model with the chosen engine. Raises ModelError or SettingsError."""
    from model.engines.load import load_engine
    from model.registry import Registry

    settings = settings_of(model_dir=model_dir, engine=engine)
    info = Registry(settings.model_dir).get(name)
    return info, load_engine(info, engine=settings.engine, precision=precision, threads=threads)


def as_dict(info: ModelInfo) -> dict[str, Any]:
    """A registered model as JSON."""
    from dataclasses import asdict

    return asdict(info) | {"path": str(info.path)}


def takes_text(takes: tuple[str, ...] | None) -> str:
    """The params that a model takes, as text."""
    return "any params" if takes is None else ", ".join(takes) or "no params"


def generation_bar(count: int) -> AbstractContextManager[Iterable[int]]:
    """A progress bar over so many images, on stderr if it is a terminal."""
    return click.progressbar(
        range(count), label="generating", file=sys.stderr, hidden=not sys.stderr.isatty()
    )
