"""`diptych bench scale`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from bench.load.cli import Duration


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
            found = sorted({int(float(part)) for part in str(value).split(",")})
        except (ValueError, OverflowError):
            self.fail(f"{value!r}: write 1,2,4", param, ctx)
        most = 64 if param is not None and param.name == "workers" else 10**8
        if found[0] < 1 or found[-1] > most:
            self.fail(f"{value!r}: each must be 1 to {most}", param, ctx)
        return tuple(found)


@click.command()
@click.option("--workers", type=Numbers(), default="1,2,4", show_default=True, help="Sizes to measure.")
@click.option("--counts", type=Numbers(), default="1e4,1e5,1e6,1e7", show_default=True, help="To simulate.")
@click.option(
    "--target", type=click.Choice(["container", "function"]), default="container", show_default=True
)
@click.option("--model", default="faces-64", show_default=True)
@click.option("--images", type=click.IntRange(1, 256), default=16, show_default=True, help="Per task.")
@click.option(
    "--duration", "duration_s", type=Duration(), default="10s", show_default=True, help="Each size."
)
@click.option("--warm-up", "warm_up_s", type=Duration(), default="5s", show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Of all sizes.")
@click.option("--max-instances", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--cold-start", "cold_start_s", type=Duration(), help="[of the price table's assumptions]")
@click.option("--slowness", type=click.FloatRange(0.01, 1000), default=1.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--prices", type=click.Path(path_type=Path), envvar="DIPTYCH_PRICES", help="A table of yours.")
@click.option("--out", type=click.Path(path_type=Path), help="[bench-scale-DATE-TIME]")
@click.pass_context
def scale(context: click.Context, /, **given: Any) -> None:
    """Measure 1, 2, 4 workers here, and simulate jobs in a cloud from what one of them took.

    The simulation is labelled as one, seeded, and set beside what was measured.
    """
    from bench.run_ending import tell_ending
    from bench.scale.run import ScaleOptions, run_scale, text_lines
    from bench.scale.simulate import Cloud
    from pipeline.settings import load_settings
    from results.cost_prices import load_prices

    assume = load_prices(given["prices"]).assume
    cold_s = assume.cold_start_s if given["cold_start_s"] is None else given["cold_start_s"]
    same = (
        "target",
        "workers",
        "counts",
        "model",
        "images",
        "duration_s",
        "warm_up_s",
        "seed",
        "prices",
        "rounds",
    )
    options = ScaleOptions(
        out=given["out"] or Path(f"bench-scale-{time.strftime('%Y%m%d-%H%M%S')}"),
        cloud=Cloud(given["max_instances"], cold_s, assume.overhead_s, slowness=given["slowness"]),
        model_dir=load_settings().model_dir,
        **{name: given[name] for name in same},
    )
    run = run_scale(options, click.echo)
    context.exit(tell_ending(run, text_lines(run), [], click.echo))
