"""`diptych bench scale`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.bench.options import (
    duration_option,
    fail_if_option,
    model_option,
    out_option,
    read_thresholds,
    seed_option,
)
from diptych.commands.options import Parsed, default_option, number_option, require_extra
from results.targets import PUSHED_TARGETS

if TYPE_CHECKING:
    from bench.scale.run import ScaleOptions

_SAME: Final = (
    *("out", "target", "workers", "counts", "model", "images", "duration_s", "warm_up_s"),
    *("seed", "rounds", "prices"),
)


def _numbers(most: int) -> Parsed:
    """Whole numbers from 1 with commas between them, as 1,2,4 or 1e4,1e7: ascending, each once."""

    def parse(text: str) -> tuple[int, ...]:
        try:
            numbers = sorted({int(float(part)) for part in text.split(",")})
        except (ValueError, OverflowError):
            raise ValueError(f"{text!r} is not a list of numbers: write 1,2,4") from None
        if numbers[0] < 1 or numbers[-1] > most:
            raise ValueError(f"{text!r}: each must be 1 to {most}")
        return tuple(numbers)

    return Parsed("numbers", parse)


@click.command()
@default_option("--workers", _numbers(64), "1,2,4,8", "Measure so many workers.")
@default_option("--counts", _numbers(10**8), "1e4,1e5,1e6,1e7", "Simulate jobs of so many images.")
@default_option("--target", click.Choice(PUSHED_TARGETS), "container", "Measure this target.")
@model_option
@number_option("--images", 1, 256, 16, "Request so many images per task.")
@duration_option("--duration", "10s", "Measure each number of workers for so long.")
@duration_option("--warm-up", "5s", "Send load for so long before measuring.")
@number_option("--rounds", 1, 100, 3, "Measure all numbers of workers so many times.")
@number_option("--max-instances", 1, 1000, 10, "Simulate at most so many instances.")
@duration_option("--cold-start", None, "Simulate cold starts of this length [the price table's assumption].")
@number_option("--slowness", 0.01, 1000, 1.0, "Simulate tasks that take so many times as long as here.")
@seed_option("images, the order and the simulation")
@click.option(
    "--prices", type=click.Path(path_type=Path), envvar="DIPTYCH_PRICES", help="Use this price table."
)
@fail_if_option("efficiency(2) < 0.7")
@out_option("scale")
@click.pass_context
def scale(context: click.Context, /, **given: Any) -> None:
    """Measure 1, 2, 4, 8 workers here, and simulate jobs in a cloud from the times of one of them.

    Reports from which number on more workers give no more images per second. The simulation is seeded,
    labelled as such, and shown beside the measurements.
    """
    require_extra("bench")
    from bench.runs.ending import tell_ending
    from bench.scale.run import run_scale
    from bench.scale.text import failures, figures

    thresholds = read_thresholds(given["fail_if"], (), figures(given["workers"], {}))
    run = run_scale(_options(given), click.echo)
    status = tell_ending(run, failures(run, thresholds), click.echo)
    reached = any(size["images_per_s"] for size in run.results.get("measured") or [])
    context.exit(status or (0 if reached else 1))


def _options(given: Mapping[str, Any]) -> ScaleOptions:
    from bench.scale.run import ScaleOptions
    from bench.scale.simulate import Cloud
    from pipeline.config.settings import load_settings
    from results.cost.prices import load_prices

    assume = load_prices(given["prices"]).assume
    cold_s = assume.cold_start_s if given["cold_start_s"] is None else given["cold_start_s"]
    return ScaleOptions(
        cloud=Cloud(given["max_instances"], cold_s, assume.overhead_s, slowness=given["slowness"]),
        model_dir=load_settings().model_dir,
        **{name: given[name] for name in _SAME},
    )
