"""`diptych model add` and `remove`: the operator registers a model that is no checkpoint of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diptych.commands.model.commands import as_dict
from diptych.commands.options import ParamAssignment, json_option, print_json, settings_of

name_argument = click.argument("name", metavar="NAME")
folder_option = click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="The folder of descriptors.  [default: DIPTYCH_MODEL_DIR, or a folder of the user's]",
)


@click.command()
@name_argument
@click.argument("form", metavar="FORM")
@click.option("--licence", default="unknown", show_default=True, help="Licence of the weights.")
@click.option("--training-data", default="", help="What it was trained on, in words.")
@click.option("--resolution", type=int, help="Longer side of an image in pixels.  [default: find out]")
@click.option(
    "--seconds-per-image",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    help="Sizes the tasks.  [default: measured or guessed; see `model calibrate`]",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    type=ParamAssignment(),
    help="An option of the family (docs/models.md); may be given again.",
)
@folder_option
@json_option
def add(
    name: str,
    form: str,
    options: tuple[tuple[str, Any], ...],
    model_dir: Path | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Register a model under NAME, so that jobs can name it.

    FORM says what generates it:

    \b
    diffusers:FOLDER                   a text-to-image or unconditional pipeline
    diffusers:OWNER/NAME[@REVISION]    the same, downloaded from the hub before
    onnx:FILE                          a generator: latents in, image out
    python:PACKAGE.MODULE:FACTORY      an engine of your own

    Only NAME and the digest go into messages: every worker needs the model under the same NAME.
    """
    from model.adding.add import add_model
    from model.adding.request import AddRequest

    added = add_model(_folder(model_dir), name, form, AddRequest(options=dict(options), **told))
    if as_json:
        return print_json(as_dict(added))
    takes = "any params" if added.takes is None else ", ".join(added.takes) or "no params"
    return click.echo(
        f"{name}: {added.family}, {added.resolution} px, takes {takes}, {added.digest[:19]}\n{added.path}"
    )


@click.command()
@name_argument
@folder_option
def remove(name: str, model_dir: Path | None) -> None:
    """Remove what `model add` has written; the model's own files stay."""
    from model.adding.add import remove_model

    click.echo(f"removed {remove_model(_folder(model_dir), name)}")


def _folder(model_dir: Path | None) -> Path:
    chosen = settings_of(model_dir=model_dir).model_dir
    if chosen is None:
        raise click.UsageError("no folder for models: give --model-dir or DIPTYCH_MODEL_DIR")
    return chosen
