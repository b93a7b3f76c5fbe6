"""`diptych model …`: list, sample, time, train, import. Runtimes and torch are imported when they run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from diptych.commands.options import ParamAssignment, json_option, print_json, settings_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.precision_gate import LowPrecision
    from model.protocol import Engine
    from model.registry import ModelInfo, Registry

    Image = NDArray[np.uint8]

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_SHEET_IMAGES: Final = 1024
name_argument = click.argument("name", metavar="NAME")
folder_option = click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="A folder of more checkpoints.  [default: DIPTYCH_MODEL_DIR]",
)
params_option = click.option(
    "--param",
    "params",
    multiple=True,
    type=ParamAssignment(),
    help="A parameter of the model's family, such as prompt='a cat'; may be given again.",
)
seed_option = click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=7, show_default=True)


def engine_options(command: Command) -> Command:
    """Add the options that choose an engine."""
    for option in (
        click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True),
        click.option(
            "--precision",
            type=click.Choice(["auto", "fp32", "bf16", "int8"]),
            default="auto",
            show_default=True,
            help="auto: the fastest that this CPU supports and the model allows.",
        ),
        click.option(
            "--engine",
            type=click.Choice(["openvino", "torch"]),
            help="[default: DIPTYCH_ENGINE, or openvino]",
        ),
        folder_option,
    ):
        command = option(command)
    return command


@click.command(name="list")
@folder_option
@json_option
def list_(model_dir: Path | None, as_json: bool) -> None:
    """List the registered models."""
    from model.errors import ModelError

    registry = _registry(model_dir)
    rows: list[dict[str, Any]] = []
    for name in registry.names():
        try:
            rows.append(as_dict(registry.get(name)))
        except ModelError as error:
            rows.append({"name": name, "error": str(error)})
    if as_json:
        return print_json(rows)
    click.echo(f"{'name':<20}  {'family':<8}  {'size':>9}  {'weights':>11}  {'s/image':>8}  digest")
    for row in rows:
        if "error" in row:
            click.echo(f"{row['name']:<20}  {row['error']}")
            continue
        size = f"{row['resolution']}x{row['resolution']}"
        click.echo(
            f"{row['name']:<20}  {row['family']:<8}  {size:>9}  {row['parameters']:>11,}"
            f"  {row['seconds_per_image']:>8.4f}  {row['digest'][:19]}"
        )
    return None


@click.command()
@name_argument
@folder_option
@json_option
def info(name: str, model_dir: Path | None, as_json: bool) -> None:
    """Say what is known of a model."""
    found = _registry(model_dir).get(name)
    row = as_dict(found)
    if as_json:
        return print_json(row)
    row["takes"] = "any params" if row["takes"] is None else ", ".join(row["takes"]) or "no params"
    row["precisions"] = _precisions(found)
    width = max(map(len, row)) + 2
    for key, value in row.items():
        click.echo(f"{key.replace('_', ' '):<{width}}{f'{value:,}' if isinstance(value, int) else value}")
    return None


def _precisions(found: ModelInfo) -> str:
    """What a job may ask for, and how far the gate saw each stray from fp32."""
    if found.precisions is None:
        return "as its engine has"
    from model.checkpoint import read_header

    gate = read_header(found.path).config.gate if found.path.suffix == ".safetensors" else None
    told = []
    for name in found.precisions:
        figures = gate.precisions.get(cast("LowPrecision", name)) if gate else None
        if gate is None or figures is None:
            told.append(name)
            continue
        auto = "" if gate.accepts(cast("LowPrecision", name)) else ", too far for auto"
        told.append(f"{name} ({figures.psnr_min_db:.1f} dB at worst of {gate.seeds}{auto})")
    return ", ".join(told)


@click.command()
@name_argument
@click.option(
    "-n", "--count", type=click.IntRange(1, MAX_SHEET_IMAGES), default=16, show_default=True, help="Images."
)
@click.option("--columns", type=click.IntRange(1, 64), help="[default: a square sheet]")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .png to write.")
@params_option
@seed_option
@engine_options
def sample(
    name: str,
    count: int,
    columns: int | None,
    output: Path,
    params: tuple[tuple[str, Any], ...],
    seed: int,
    **engine: Any,
) -> None:
    """Generate a sheet of images: the first COUNT of a job with this seed."""
    from diptych.commands.model.pictures import check_size, check_suffix, save_sheet
    from model.seeds import image_seed

    check_suffix(output, ".png")
    checked = checked_params(name, params, engine["model_dir"])
    _, loaded = load(name, **engine)
    seeds = [image_seed(seed, index) for index in range(count)]
    images: list[Image] = []
    with _progress(len(seeds)) as bar:
        for index in bar:
            images.append(loaded.generate([seeds[index]], checked)[0])
            check_size(count, images[0], columns)
    save_sheet(images, output, columns)
    click.echo(f"{output}: {count} images of {name}, seed {seed}, {loaded.name} {loaded.precision}")


@click.command()
@name_argument
@click.option(
    "--stops", type=click.IntRange(2, 64), default=4, show_default=True, help="Images walked between."
)
@click.option(
    "--steps", type=click.IntRange(1, 120), default=16, show_default=True, help="From stop to stop."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help=".gif or .webp: a loop; .png: a strip.",
)
@seed_option
@engine_options
def interpolate(name: str, stops: int, steps: int, output: Path, seed: int, **engine: Any) -> None:
    """Walk from image to image on the sphere of the latents."""
    from diptych.commands.model.pictures import check_size, check_suffix, save_loop, save_sheet
    from model.errors import EngineError
    from model.interpolation import walk
    from model.protocol import LatentEngine
    from model.seeds import image_seed, latents

    check_suffix(output, ".gif", ".webp", ".png")
    _, loaded = load(name, **engine)
    if not isinstance(loaded, LatentEngine):
        raise EngineError(f"{name} has no latents to walk between")
    looped = output.suffix.lower() != ".png"
    seeds = [image_seed(seed, index) for index in range(stops)]
    rows = walk(latents(seeds, loaded.latent_size), steps, closed=looped)
    images: list[Image] = []
    with _progress(len(rows)) as bar:
        for index in bar:
            images.append(loaded.generate_from_latents(rows[index : index + 1])[0])
            if not looped:
                check_size(len(rows), images[0], len(rows))
    if looped:
        save_loop(images, output)
    else:
        save_sheet(images, output, len(images))
    click.echo(f"{output}: {len(images)} images between {stops} of {name}, seed {seed}")


def _progress(count: int) -> AbstractContextManager[Iterable[int]]:
    return click.progressbar(range(count), label="painting", file=sys.stderr, hidden=not sys.stderr.isatty())


def _registry(model_dir: Path | None) -> Registry:
    from model.registry import Registry

    return Registry(settings_of(model_dir=model_dir).model_dir)


def checked_params(
    name: str, params: tuple[tuple[str, Any], ...], model_dir: Path | None
) -> dict[str, str | int | float | bool | None]:
    """A job's params, checked as a submission's are. Raises ModelError."""
    from model.families import validate_params

    found = _registry(model_dir).get(name)
    return validate_params(found.family, dict(params), found.takes)


def load(
    name: str, *, model_dir: Path | None, engine: str | None, precision: str, threads: int
) -> tuple[ModelInfo, Engine]:
    """Load a model as the options and settings say. Raises ModelError or SettingsError."""
    from model.engines.load import load_engine
    from model.registry import Registry

    settings = settings_of(model_dir=model_dir, engine=engine)
    found = Registry(settings.model_dir).get(name)
    return found, load_engine(found, engine=settings.engine, precision=precision, threads=threads)


def as_dict(found: ModelInfo) -> dict[str, Any]:
    """What is known of a model, as JSON has it."""
    from dataclasses import asdict

    return asdict(found) | {"path": str(found.path)}
