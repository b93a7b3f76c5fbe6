"""`diptych model quality`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.model.options import model_dir_option, name_argument
from diptych.commands.options import json_option, number_option, print_json, require_extra, settings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.protocol import Engine
    from model.training.evaluation.quality import Quality

BATCH: Final = 16
CACHE: Final = Path(".diptych/train/images")
ANY_PATH = click.Path(path_type=Path)
NEAREST: Final = "Closest to a real image of the data, each beside it"
WORST: Final = "The lowest scores of the discriminator"


@click.command()
@name_argument
@click.option(
    "--data", type=ANY_PATH, required=True, help="Real images, preferably not those it was trained on."
)
@number_option("-n --count", 16, 50_000, 1000, "Images to measure in each split.")
@number_option("--splits", 1, 100, 5, "Repetitions, whose figures are averaged.")
@number_option("--seed", 0, 2**63 - 1, 0, "Seed of the job.")
@click.option(
    "--neighbours", type=ANY_PATH, help="A .png file to write: generated images beside the nearest real ones."
)
@click.option(
    "--worst", type=ANY_PATH, help="A .png file to write: the generated images with the lowest scores."
)
@click.option(
    "--discriminator",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Discriminator that scores for --worst and --html, from `export --discriminator`.",
)
@click.option("--html", "page", type=ANY_PATH, help="An .html file to write: figures and sheets on one page.")
@click.option("--cache", type=ANY_PATH, default=CACHE, show_default=True, help="Cache of decoded images.")
@model_dir_option
@json_option
def quality(
    name: str,
    data: Path,
    count: int,
    splits: int,
    seed: int,
    neighbours: Path | None,
    worst: Path | None,
    discriminator: Path | None,
    page: Path | None,
    cache: Path,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure image quality: faces info, kernel distances, precision, recall, sliced Wasserstein distance.

    Each split generates COUNT other images and halves the real ones at random; figures are means over the
    splits, with their standard deviation.
    """
    require_extra("quality")
    import numpy as np

    from diptych.commands.model.pictures import check_suffix
    from model.checkpoint import write_atomically
    from model.engines.load import load_engine
    from model.registry import Registry
    from model.training.dataset import open_dataset
    from model.training.evaluation.quality import check_measurable, measure
    from model.training.evaluation.quality_page import quality_page
    from model.training.evaluation.report_sheets import Judge, neighbour_sheet
    from model.training.sheets import sheet_png

    if worst is not None and discriminator is None:
        raise click.UsageError("--worst FILE.png needs --discriminator FILE")
    for path, suffix in ((neighbours, ".png"), (worst, ".png"), (page, ".html")):
        if path is not None:
            check_suffix(path, suffix)
    settings = settings_of(model_dir=model_dir)
    info = Registry(settings.model_dir).get(name)
    judge = Judge(discriminator, info.resolution) if discriminator is not None else None
    dataset = open_dataset(data, info.resolution, cache)
    check_measurable(count, dataset.count, info.resolution)
    real = np.asarray(dataset.at(info.resolution))
    engine = load_engine(info, engine=settings.engine, precision="fp32", threads=1)
    sheets: dict[str, bytes] = {}
    if neighbours or worst or page:
        shown = _generate(engine, seed, 0, count)
        sheets["Sixty-four images, as they come"] = sheet_png(shown[:64], 8)
        sheets[NEAREST] = sheet_png(*neighbour_sheet(shown, real))
        if judge is not None:
            sheets[WORST] = sheet_png(*judge.worst_sheet(shown))
    for path, title in ((neighbours, NEAREST), (worst, WORST)):
        if path is not None:
            write_atomically(path, sheets[title])
    report = measure(lambda split: _generate(engine, seed, split * count, count), real, count, splits)
    if page is not None:
        write_atomically(page, quality_page(name, info.digest, report, sheets).encode())
    if as_json:
        from dataclasses import asdict

        print_json({"name": name, "digest": info.digest, **asdict(report)})
    else:
        _show(name, report)


def _generate(engine: Engine, seed: int, first: int, count: int) -> NDArray[Any]:
    import numpy as np

    from model.seeds import image_seed

    seeds = [image_seed(seed, index) for index in range(first, first + count)]
    parts: list[NDArray[Any]] = []
    for start in range(0, count, BATCH):
        parts.append(engine.generate(seeds[start : start + BATCH], {}))
        height, width = parts[0].shape[1:3]
        if height != width:
            raise click.UsageError(f"only square images can be measured, not {width}x{height}")
    return np.concatenate(parts)


def _show(name: str, report: Quality) -> None:
    title = f"{report.splits} x {report.images} images of {name}"
    click.echo(f"{title:<42} {'model':>15}  {'real/real':>15}")
    for label, ours, theirs in report.rows():
        click.echo(f"{label:<42} {ours:>15}  {theirs:>15}")
