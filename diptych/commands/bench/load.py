"""`diptych bench load`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """Seconds, as 90, 90s, 10m or 1h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no duration: write 90s, 10m or 1h", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


class Rate(click.ParamType[float]):
    """Requests per second, as 5, 5/s or 300/m."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(s|m|h))?", str(value).strip())
        if not found or float(found[1]) == 0:
            self.fail(f"{value!r} is no rate: write 5/s or 300/m", param, ctx)
        return float(found[1]) / _UNITS[found[2] or "s"]


@click.command()
@click.option("--users", type=click.IntRange(1, 800), help="Closed load: each waits for its answer.")
@click.option("--rate", type=Rate(), help="Open load: requests per second, such as 5/s.")
@click.option("--arrivals", type=click.Choice(["poisson", "constant"]), default="poisson", show_default=True)
@click.option("--duration", "duration_s", type=Duration(), default="1m", help="For each target [1m].")
@click.option("--warm-up", "warm_up_s", type=Duration(), default="5s", help="Of it, apart [5s].")
@click.option("--ramp", "ramp_s", type=Duration(), default="0s", help="Users start evenly over this time.")
@click.option(
    "--target", "targets", type=click.Choice(["container", "function"]), multiple=True, help="Else both."
)
@click.option("--container-url", help="A running worker, instead of a fresh one.")
@click.option("--function-url", help="The same of the function.")
@click.option("--i-own-this-host", "owned", multiple=True, metavar="HOST", help="For any other machine.")
@click.option("--cloud", is_flag=True, help="Send ID tokens to the deployed URLs.")
@click.option("--as-account", "account", default="", help="With --cloud: act for this service account.")
@click.option("--project", default="", help="With --cloud: read instances and billed time of this project.")
@click.option("--model", default="faces-64", show_default=True)
@click.option("--images", type=click.IntRange(1, 256), default=1, show_default=True, help="Per request.")
@click.option("--slots", type=click.IntRange(1, 64), default=1, show_default=True, help="Of a fresh worker.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--timeout", "timeout_s", type=Duration(), default="60s", show_default=True)
@click.option("--sample", "sample_s", type=Duration(), help="Of CPU and memory [1m, or a tenth].")
@click.option("--fail-if", multiple=True, metavar="CONDITION", help="'p99(response_s) > 2': exit status 3.")
@click.option("--out", type=click.Path(path_type=Path), help="[bench-load-DATE-TIME]")
@click.pass_context
def load(context: click.Context, /, **given: Any) -> None:
    """Send real pushes at both HTTP workers, one after the other, and measure.

    Fresh workers are started on this machine unless URLs are given. With --users 100 --duration 10m it is a
    JMeter thread group of 100.
    """
    from bench.load.command import run_command

    context.exit(run_command(given, click.echo))
