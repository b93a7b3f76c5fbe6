"""`diptych bench scale`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diptych.commands.bench.load import Duration


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
@click.option("--workers", type=Numbers(), default="1,2,4,8", show_default=True, help="Sizes to measure.")
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
@click.option("--fail-if", multiple=True, metavar="CONDITION", help="'efficiency(2) < 0.7': exit status 3.")
@click.option("--out", type=click.Path(path_type=Path), help="[bench-scale-DATE-TIME]")
@click.pass_context
def scale(context: click.Context, /, **given: Any) -> None:
    """Measure 1, 2, 4, 8 workers here, and simulate jobs in a cloud from what one of them took.

    The report says where more workers stop to pay. The simulation is labelled as one, seeded, and set beside
    what was measured.
    """
    from bench.scale.command import run_command

    context.exit(run_command(given, click.echo))
