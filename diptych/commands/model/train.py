"""`diptych model train` and `diptych model export`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from diptych.commands.options import require_extra

if TYPE_CHECKING:
    from model.training.loop import Tick

RUNS: Final = Path(".diptych/train")
INTERRUPTED_EXIT: Final = 130
LATEST_RATES: Final = 20
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ANY_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("config_path", metavar="CONFIG.toml", type=FILE)
@click.option("--data", type=ANY_PATH, help="Folder of images, or uint8 .npy/.npz; overrides the config's.")
@click.option("--run", "run_path", type=ANY_PATH, help=f"Folder of the run.  [default: {RUNS}/NAME]")
@click.option(
    "--cache", type=ANY_PATH, help="Cache of decoded images.  [default: images/ beside the run's folder]"
)
@click.option(
    "--from",
    "start",
    metavar="CHECKPOINT|RUN",
    type=click.Path(exists=True, path_type=Path),
    help="Initialise a new run from a checkpoint's generator, or grow another run. A wider network starts"
    " with equal outputs; a lower resolution uses the checkpoint's lower levels.",
)
@click.option(
    "--discriminator",
    type=FILE,
    help="With --from CHECKPOINT: the discriminator that `export` saved with it.",
)
@click.option("--teacher", type=FILE, help="Checkpoint to distil from, as configured in [teacher].")
@click.option("--kimg", type=click.FloatRange(min=0), help="Stop after this many thousand images.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
def train(
    config_path: Path,
    data: Path | None,
    run_path: Path | None,
    cache: Path | None,
    start: Path | None,
    discriminator: Path | None,
    teacher: Path | None,
    kimg: float | None,
    quiet: bool,
) -> None:
    """Train a Progressive GAN, or resume a run.

    Ctrl-C saves and stops; the same command resumes bit-exactly. The run's folder holds state.pt, stats.jsonl
    and sheets/.
    """
    require_extra("train")
    from model.training.config import load_training_config
    from model.training.loop import TrainingLoop, open_run, stop_on_signals
    from model.training.state import RunFolder

    if discriminator is not None and start is None:
        raise click.UsageError("--discriminator needs --from CHECKPOINT")
    if kimg is not None and not math.isfinite(kimg):
        raise click.UsageError(f"--kimg must be a number of thousand images, not {kimg}")
    config = load_training_config(config_path)
    source = data or config.data
    if source is None:
        raise click.UsageError('no training images: give --data DIR, or data = "DIR" in the config')
    folder = RunFolder(run_path or RUNS / config.name)
    stop_at = config.total_images if kimg is None else round(kimg * 1000)
    with _progress(stop_at, quiet) as show:
        images = cache or folder.path.parent / "images"
        trainer = open_run(config, source, folder, images, start, discriminator, teacher)
        loop = TrainingLoop(trainer, folder, show)
        with stop_on_signals(loop.stop):
            ended = loop.run(stop_at)
    place = f"saved at {trainer.images / 1000:.1f} kimg in {folder.path}"
    click.echo(place if ended else f"{place}; the same command resumes it", err=True)
    if not ended:
        raise click.exceptions.Exit(INTERRUPTED_EXIT)


@click.command()
@click.argument("config_path", metavar="CONFIG.toml", type=FILE)
@click.option("--run", "run_path", type=ANY_PATH, help=f"Folder of the run.  [default: {RUNS}/NAME]")
@click.option("-o", "--output", type=ANY_PATH, required=True, help="The .safetensors file to write.")
@click.option(
    "--discriminator", type=ANY_PATH, help="File to save the discriminator to, for further training."
)
def export(config_path: Path, run_path: Path | None, output: Path, discriminator: Path | None) -> None:
    """Export a run's averaged generator as a checkpoint; the run may be in progress."""
    require_extra("train")
    from model.training.config import load_training_config
    from model.training.state import RunFolder, export_run

    config = load_training_config(config_path)
    digest = export_run(RunFolder(run_path or RUNS / config.name), config, output, discriminator)
    click.echo(f"{output} {digest}")


@contextmanager
def _progress(stop_at_images: int, quiet: bool) -> Iterator[Callable[[Tick], None]]:
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_path=False, show_time=False)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler], force=True)
    columns = (
        TextColumn("{task.fields[place]}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} kimg"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet, refresh_per_second=2) as bar:
        task = bar.add_task("", total=stop_at_images / 1000, place="starting", rate="")
        rates: list[float] = []

        def show(tick: Tick) -> None:
            rates.append(tick.images_per_second)
            rate = sum(rates[-LATEST_RATES:]) / len(rates[-LATEST_RATES:])
            seconds = round((stop_at_images - tick.images) / rate)
            left = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"
            fading = f" fading in {tick.alpha:.0%}" if tick.alpha < 1 else ""
            place = f"{tick.resolution} px{fading}"
            bar.update(task, completed=tick.images / 1000, place=place, rate=f"{rate:.1f} img/s, {left}")

        yield show
