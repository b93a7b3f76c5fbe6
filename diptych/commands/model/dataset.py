"""`diptych model dataset …`: generate training data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from diptych.commands.options import default_option, json_option, output_option, print_json, require_extra
from pipeline.config.cpus import usable_cpus

INTERRUPTED_EXIT: Final = 130
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def dataset() -> None:
    """Generate training data: synthetic faces, rendered from CC0 3D shapes."""


@dataset.command()
@click.option("--count", type=int, default=10_000, show_default=True, help="Number of images.")
@default_option("--size", int, 128, "Side in pixels: 32, 64, 128, 256 or 512.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the faces.")
@click.option("--jobs", type=int, help="Number of processes.  [default: one per CPU]")
@output_option("Folder to write to.", file_okay=False)
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
@json_option
def faces(
    count: int, size: int, seed: int, jobs: int | None, output: Path, quiet: bool, as_json: bool
) -> None:
    """Render synthetic faces into a folder.

    Face k of a seed is the same whatever the count and the number of processes. After Ctrl-C the same command
    continues, and a larger --count adds images. The images are CC0 and show no real person.
    """
    require_extra("faces")
    from model.dataset.manifest import FacesConfig
    from model.dataset.writer import write_faces

    config = FacesConfig(count, size, seed)
    processes = jobs if jobs is not None else usable_cpus()
    started = time.monotonic()
    try:
        with _progress(count, quiet) as show:
            written = write_faces(output, config, processes, show)
    except KeyboardInterrupt:
        click.echo(
            f"interrupted; rendered images are kept in {output}, and the same command continues",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED_EXIT) from None
    seconds = time.monotonic() - started
    if as_json:
        print_json(
            {"folder": str(output), "rendered": written.rendered, "found": written.found, "seconds": seconds}
        )
    else:
        click.echo(
            f"{output}: {written.rendered:,} faces rendered in {seconds:.0f} s, {written.found:,} kept"
        )


@contextmanager
def _progress(count: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("rendering faces"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started, first = time.monotonic(), -1
    with Progress(*columns, console=Console(stderr=True), disable=quiet, refresh_per_second=2) as bar:
        task = bar.add_task("", total=count, rate="")

        def show(done: int) -> None:
            nonlocal first
            first = done if first < 0 else first
            rate = (done - first) / max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=min(done, count), rate=f"{rate:.1f} images/s" if rate else "")

        yield show
