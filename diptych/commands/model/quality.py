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
    from model.training.quality import Quality

BATCH: Final = 16
CACHE: Final = Path(".diptych/train/images")
ANY_PATH = click.Path(path_type=Path)


@click.command()
@name_argument
@click.option(
    "--data", type=ANY_PATH, required=True, help="Real images, preferably not those it was trained on."
)
@number_option("-n --count", 16, 50_000, 1000, "Images to measure.")
@number_option("--seed", 0, 2**63 - 1, 0, "Seed of the job.")
@click.option(
    "--neighbours", type=ANY_PATH, help="A .png file to write: generated images beside the nearest real ones."
)
@click.option("--cache", type=ANY_PATH, default=CACHE, show_default=True, help="Cache of decoded images.")
@model_dir_option
@json_option
def quality(
    name: str,
    data: Path,
    count: int,
    seed: int,
    neighbours: Path | None,
    cache: Path,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure image quality: faces found, KID-EffNet, sliced Wasserstein distance, nearest neighbours."""
    require_extra("quality")
    import numpy as np

    from diptych.commands.model.pictures import check_suffix
    from model.engines.load import load_engine
    from model.registry import Registry
    from model.training.dataset import open_dataset
    from model.training.quality import check_measurable, measure, neighbour_sheet
    from model.training.sheets import save_sheet

    if neighbours is not None:
        check_suffix(neighbours, ".png")
    settings = settings_of(model_dir=model_dir)
    info = Registry(settings.model_dir).get(name)
    dataset = open_dataset(data, info.resolution, cache)
    check_measurable(count, dataset.count, info.resolution)
    # Files are in the order of their names, which may be grouped by kind: shuffle, with a fixed seed.
    order = np.random.default_rng(0).permutation(dataset.count)
    real = dataset.at(info.resolution)[order[: 2 * count]]
    generated = _generate(load_engine(info, engine=settings.engine, precision="fp32", threads=1), seed, count)
    if neighbours is not None:
        sheet, columns = neighbour_sheet(generated, np.asarray(dataset.at(info.resolution)))
        save_sheet(sheet, neighbours, columns)
    report = measure(generated, real)
    if as_json:
        from dataclasses import asdict

        print_json({"name": name, "digest": info.digest, **asdict(report)})
    else:
        _show(name, report)


def _generate(engine: Engine, seed: int, count: int) -> NDArray[Any]:
    import numpy as np

    from model.seeds import image_seed

    seeds = [image_seed(seed, index) for index in range(count)]
    parts: list[NDArray[Any]] = []
    for start in range(0, count, BATCH):
        parts.append(engine.generate(seeds[start : start + BATCH], {}))
        height, width = parts[0].shape[1:3]
        if height != width:
            raise click.UsageError(f"only square images can be measured, not {width}x{height}")
    return np.concatenate(parts)


def _show(name: str, report: Quality) -> None:
    click.echo(f"{report.images} images of {name:<24} {'model':>8}  {'real/real':>9}")
    rows = [
        ("faces found", f"{report.face_rate:.3f}", f"{report.face_rate_real:.3f}"),
        ("KID-EffNet x1000", f"{report.kid:.1f}", f"{report.kid_real:.1f}"),
        ("nearest real, RMS of 255", f"{report.nearest_median:.1f}", f"{report.nearest_median_real:.1f}"),
    ]
    for resolution, distance in report.swd.items():
        real = report.swd_real[resolution]
        rows.append((f"sliced Wasserstein x1000, {resolution} px", f"{distance:.1f}", f"{real:.1f}"))
    width = len(f"{report.images} images of ") + 24
    for label, ours, theirs in rows:
        click.echo(f"{label:<{width}} {ours:>8}  {theirs:>9}")
