"""`diptych model list` and `info`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from diptych.commands.model.options import as_dict, model_dir_option, name_argument, open_registry, takes_text
from diptych.commands.options import json_option, print_json

if TYPE_CHECKING:
    from model.precision_gate import LowPrecision
    from model.registry import ModelInfo


@click.command(name="list")
@model_dir_option
@json_option
def list_(model_dir: Path | None, as_json: bool) -> None:
    """List the registered models."""
    from model.errors import ModelError

    registry = open_registry(model_dir)
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
@model_dir_option
@json_option
def info(name: str, model_dir: Path | None, as_json: bool) -> None:
    """Show a model's properties."""
    model = open_registry(model_dir).get(name)
    row = as_dict(model)
    if as_json:
        return print_json(row)
    row["takes"] = takes_text(model.takes)
    row["precisions"] = _precisions(model)
    width = max(map(len, row)) + 2
    for key, value in row.items():
        click.echo(f"{key.replace('_', ' '):<{width}}{f'{value:,}' if isinstance(value, int) else value}")
    return None


def _precisions(model: ModelInfo) -> str:
    """The precisions that a job may request, with their PSNR against fp32 where it was measured."""
    if model.precisions is None:
        return "those of its engine"
    from model.checkpoint import read_header

    gate = read_header(model.path).config.gate if model.path.suffix == ".safetensors" else None
    texts = []
    for name in model.precisions:
        figures = gate.precisions.get(cast("LowPrecision", name)) if gate else None
        if gate is None or figures is None:
            texts.append(name)
            continue
        auto = "" if gate.accepts(cast("LowPrecision", name)) else ", rejected by auto"
        texts.append(f"{name} ({figures.psnr_min_db:.1f} dB minimum over {gate.seeds} images{auto})")
    return ", ".join(texts)
