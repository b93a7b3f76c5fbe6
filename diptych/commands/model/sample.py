"""`diptych model sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.model.options import (
    checked_params,
    engine_options,
    generation_bar,
    load,
    name_argument,
    seed_option,
)
from diptych.commands.options import number_option, output_option, params_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SHEET_IMAGES: Final = 1024


@click.command()
@name_argument
@number_option("-n --count", 1, MAX_SHEET_IMAGES, 16, "Number of images.")
@click.option("--columns", type=click.IntRange(1, 64), help="Images per row.  [default: a square sheet]")
@output_option("The .png file to write.")
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
    """Generate a sheet of images: the first COUNT images of a job with this seed."""
    from diptych.commands.model.pictures import check_size, check_suffix, save_sheet
    from model.seeds import image_seed

    check_suffix(output, ".png")
    checked = checked_params(name, params, engine["model_dir"])
    _, loaded = load(name, **engine)
    seeds = [image_seed(seed, index) for index in range(count)]
    images: list[NDArray[np.uint8]] = []
    with generation_bar(len(seeds)) as bar:
        for index in bar:
            images.append(loaded.generate([seeds[index]], checked)[0])
            check_size(count, images[0], columns)
    save_sheet(images, output, columns)
    click.echo(f"{output}: {count} images of {name}, seed {seed}, {loaded.name} {loaded.precision}")
