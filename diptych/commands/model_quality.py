"""`diptych model quality`: measure a model's images against real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.model_train import torch_wanted
from producer.cli_options import json_option, print_json, settings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.protocol import Engine
    from model.training.quality import Quality

BATCH: Final = 16
CACHE: Final = Path(".diptych/train/images")
ANY_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--data", type=ANY_PATH, required=True, help="Real images, best not those it was trained on.")
@click.option("-n", "--count", type=click.IntRange(16, 50_000), default=1000, show_default=True)
@click.option(
    "--splits",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Measured so often, and averaged.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--neighbours", type=ANY_PATH, help="A .png to write: painted images beside the nearest real.")
@click.option("--worst", type=ANY_PATH, help="A .png to write: the painted images with the lowest scores.")
@click.option(
    "--discriminator",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --worst: who gives the scores, as `export --discriminator` kept it.",
)
@click.option("--cache", type=ANY_PATH, default=CACHE, show_default=True, help="Decoded images.")
@click.option(
    "--model-dir", type=ANY_PATH, help="A folder of more checkpoints.  [default: DIPTYCH_MODEL_DIR]"
)
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
    cache: Path,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure a model: faces found, kernel distances, precision, recall, sliced Wasserstein distance.

    Each split paints COUNT images anew and halves the real ones at random; figures are means over the splits,
    with their standard deviation.
    """
    with torch_wanted():
        from model.training.dataset import open_dataset
        from model.training.quality import check_measurable, measure
        from model.training.report_sheets import Judge, neighbour_sheet
        from model.training.sheets import save_sheet
    import numpy as np

    from diptych.commands.model_pictures import check_suffix
    from model.engines.load import load_engine
    from model.registry import Registry

    if (worst is None) != (discriminator is None):
        raise click.UsageError("--worst FILE.png and --discriminator FILE go together")
    for sheet_path in (neighbours, worst):
        if sheet_path is not None:
            check_suffix(sheet_path, ".png")
    settings = settings_of(model_dir=model_dir)
    found = Registry(settings.model_dir).get(name)
    judge = Judge(discriminator, found.resolution) if discriminator is not None else None
    dataset = open_dataset(data, found.resolution, cache)
    check_measurable(count, dataset.count, found.resolution)
    real = np.asarray(dataset.at(found.resolution))
    engine = load_engine(found, engine=settings.engine, precision="fp32", threads=1)
    shown = _paint(engine, seed, 0, count) if neighbours is not None or worst is not None else None
    if shown is not None and neighbours is not None:
        sheet, columns = neighbour_sheet(shown, real)
        save_sheet(sheet, neighbours, columns)
    if shown is not None and judge is not None and worst is not None:
        sheet, columns = judge.worst_sheet(shown)
        save_sheet(sheet, worst, columns)
    report = measure(lambda split: _paint(engine, seed, split * count, count), real, count, splits)
    if as_json:
        from dataclasses import asdict

        print_json({"name": name, "digest": found.digest, **asdict(report)})
    else:
        _show(name, report)


def _paint(engine: Engine, seed: int, first: int, count: int) -> NDArray[Any]:
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
    click.echo(f"{report.splits} x {report.images} images of {name:<20} {'model':>15}  {'real/real':>15}")
    rows = [
        ("faces found", report.face_rate, report.face_rate_real, 3),
        ("KID-EffNet x1000", report.kid, report.kid_real, 1),
        ("KID-ResNet x1000, never trained through", report.kid_unseen, report.kid_unseen_real, 1),
        ("precision", report.precision, report.precision_real, 3),
        ("recall", report.recall, report.recall_real, 3),
        ("nearest real, RMS of 255", report.nearest_median, report.nearest_median_real, 1),
    ]
    for resolution, distance in report.swd.items():
        label = f"sliced Wasserstein x1000, {resolution} px"
        rows.append((label, distance, report.swd_real[resolution], 1))
    width = len(f"{report.splits} x {report.images} images of ") + 20
    for label, ours, theirs, digits in rows:
        cells = [f"{figure.mean:.{digits}f} ± {figure.spread:.{digits}f}" for figure in (ours, theirs)]
        click.echo(f"{label:<{width}} {cells[0]:>15}  {cells[1]:>15}")
