"""`diptych model dataset …`: training data that is made on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from diptych.commands.options import json_option, print_json
from pipeline.config.cpus import usable_cpus

INTERRUPTED_EXIT: Final = 130
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def dataset() -> None:
    """Make training data: synthetic faces, rendered from CC0 3D shapes."""


@dataset.command()
@click.option("--count", type=int, default=10_000, show_default=True, help="How many pictures.")
@click.option(
    "--size", type=int, default=128, show_default=True, help="Side in pixels: 32, 64, 128, 256 or 512."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other faces.")
@click.option("--jobs", type=int, help="Processes.  [default: one per CPU]")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder."
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def faces(
    count: int, size: int, seed: int, jobs: int | None, output: Path, quiet: bool, as_json: bool
) -> None:
    """Render synthetic faces into a folder.

    Face k of a seed is the same whatever the count and the number of processes. Ctrl-C keeps what is there;
    the same command goes on, and a larger --count adds to the folder. The pictures are CC0; no real person is
    shown.
    """
    with renderer_wanted():
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
            f"interrupted; what is rendered is kept in {output}, the same command goes on from there",
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
            f"{output}: {written.rendered:,} faces rendered in {seconds:.0f} s, {written.found:,} were there"
        )


@contextmanager
def renderer_wanted() -> Iterator[None]:
    """Around an import: say which extra is missing, if one is."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(f"this needs {error.name}: pip install -e '.[faces]'") from None


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
