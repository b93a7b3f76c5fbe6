"""`diptych bench ceiling`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from diptych.commands.options import json_option, number_option, require_extra


@click.command()
@click.option(
    "--users",
    "counts",
    type=click.IntRange(1, 800),
    multiple=True,
    default=(1, 10, 100),
    help="Measure so many users; repeat for several [1, 10, 100].",
)
@number_option("--seconds", 0.5, 60, 2.0, "Measure each figure for so long.")
@json_option
def ceiling(counts: tuple[int, ...], seconds: float, as_json: bool) -> None:
    """Measure the maximum rate of the load generator, and of one thread per user."""
    require_extra("bench")
    from bench.load.generator.ceiling import measure_ceiling, measure_threads

    rows = [measure(users, seconds) for users in counts for measure in (measure_ceiling, measure_threads)]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    click.echo(f"{'way':8} {'users':>5} {'requests/s':>10} {'lag p99':>9} {'CPU':>5}")
    for row in rows:
        lag = "" if row.lag_p99_s is None else f"{1000 * row.lag_p99_s:.2f} ms"
        click.echo(f"{row.way:8} {row.users:5} {row.requests_per_s:10.0f} {lag:>9} {row.cpu_share:5.0%}")
