"""`diptych model add` and `remove`: register a model of another family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diptych.commands.model.options import (
    as_dict,
    model_dir_option,
    name_argument,
    require_model_dir,
    takes_text,
)
from diptych.commands.options import PARAM_ASSIGNMENT, json_option, print_json


@click.command()
@name_argument
@click.argument("form", metavar="FORM")
@click.option("--licence", default="unknown", show_default=True, help="Licence of the weights.")
@click.option("--training-data", default="", help="Description of the training data.")
@click.option("--resolution", type=int, help="Longer side of an image in pixels.  [default: detected]")
@click.option(
    "--seconds-per-image",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    help="Time per image, to size tasks.  [default: measured or assumed; see `model calibrate`]",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    type=PARAM_ASSIGNMENT,
    help="Option of the family (see docs/models.md); repeatable.",
)
@model_dir_option
@json_option
def add(
    name: str,
    form: str,
    options: tuple[tuple[str, Any], ...],
    model_dir: Path | None,
    as_json: bool,
    **description: Any,
) -> None:
    """Register a model under NAME, so that jobs can name it.

    FORM is one of:

    \b
    diffusers:FOLDER                   a text-to-image or unconditional pipeline
    diffusers:OWNER/NAME[@REVISION]    the same, already downloaded from the hub
    onnx:FILE                          a generator from latents to an image
    python:PACKAGE.MODULE:FACTORY      your own engine

    Messages carry only NAME and the digest: register the model on every worker under the same NAME.
    """
    from model.adding.add import add_model
    from model.adding.request import AddRequest

    added = add_model(
        require_model_dir(model_dir), name, form, AddRequest(options=dict(options), **description)
    )
    if as_json:
        return print_json(as_dict(added))
    return click.echo(
        f"{name}: {added.family}, {added.resolution} px, takes {takes_text(added.takes)},"
        f" {added.digest[:19]}\n{added.path}"
    )


@click.command()
@name_argument
@model_dir_option
def remove(name: str, model_dir: Path | None) -> None:
    """Remove a model that `model add` registered; its own files are kept."""
    from model.adding.add import remove_model

    click.echo(f"removed {remove_model(require_model_dir(model_dir), name)}")
