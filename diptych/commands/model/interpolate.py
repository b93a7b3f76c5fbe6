"""`diptych model interpolate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diptych.commands.model.options import engine_options, generation_bar, load, name_argument, seed_option
from diptych.commands.options import number_option, output_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command()
@name_argument
@number_option("--stops", 2, 64, 4, "Number of images to interpolate between.")
@number_option("--steps", 1, 120, 16, "Interpolated images per pair.")
@output_option("File to write: .gif or .webp for a loop, .png for a strip.")
@seed_option
@engine_options
def interpolate(name: str, stops: int, steps: int, output: Path, seed: int, **engine: Any) -> None:
    """Interpolate between images, on the sphere of the latents."""
    from diptych.commands.model.pictures import check_size, check_suffix, save_loop, save_sheet
    from model.errors import EngineError
    from model.interpolation import interpolate_latents
    from model.protocol import LatentEngine
    from model.seeds import image_seed, latents

    check_suffix(output, ".gif", ".webp", ".png")
    _, loaded = load(name, **engine)
    if not isinstance(loaded, LatentEngine):
        raise EngineError(f"{name} has no latents to interpolate between")
    looped = output.suffix.lower() != ".png"
    seeds = [image_seed(seed, index) for index in range(stops)]
    rows = interpolate_latents(latents(seeds, loaded.latent_size), steps, closed=looped)
    images: list[NDArray[np.uint8]] = []
    with generation_bar(len(rows)) as bar:
        for index in bar:
            images.append(loaded.generate_from_latents(rows[index : index + 1])[0])
            if not looped:
                check_size(len(rows), images[0], len(rows))
    if looped:
        save_loop(images, output)
    else:
        save_sheet(images, output, len(images))
    click.echo(f"{output}: {len(images)} images between {stops} of {name}, seed {seed}")
