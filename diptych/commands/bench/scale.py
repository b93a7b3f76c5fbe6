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
    number_option,
    out_option,
    read_thresholds,
    seed_option,
)
from diptych.commands.options import require_extra
from results.targets import PUSHED_TARGETS

if TYPE_CHECKING:
    from bench.scale.run import ScaleOptions

_SAME: Final = (
    *("out", "target", "workers", "counts", "model", "images", "duration_s", "warm_up_s"),
    *("seed", "rounds", "prices"),
)


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them, as 1,2,4 or 1e4,1e7."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read them: ascending, each once."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = sorted({int(float(part)) for part in str(value).split(",")})
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a list of numbers: write 1,2,4", param, ctx)
        most = 64 if param is not None and param.name == "workers" else 10**8
        if numbers[0] < 1 or numbers[-1] > most:
            self.fail(f"{value!r}: each must be 1 to {most}", param, ctx)
        return tuple(numbers)


@click.command()
@click.option(
    "--workers", type=Numbers(), default="1,2,4,8", show_default=True, help="Measure so many workers."
)
@click.option(
    "--counts",
    type=Numbers(),
    default="1e4,1e5,1e6,1e7",
    show_default=True,
    help="Simulate jobs of so many images.",
)
@click.option(
    "--target",
    type=click.Choice(PUSHED_TARGETS),
    default="container",
    show_default=True,
    help="Measure this target.",
)
@model_option
@number_option("--images", 1, 256, 16, "Request so many images per task.")
@duration_option("--duration", "10s", "Measure each number of workers for so long.")
@duration_option("--warm-up", "5s", "Send load for so long before measuring.")
@number_option("--rounds", 1, 100, 3, "Measure all numbers of workers so many times.")
@number_option("--max-instances", 1, 1000, 10, "Simulate at most so many instances.")
@duration_option("--cold-start", None, "Simulate cold starts of this length [the price table's assumption].")
@click.option(
    "--slowness",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    show_default=True,
    help="Simulate tasks that take so many times as long as here.",
)
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
