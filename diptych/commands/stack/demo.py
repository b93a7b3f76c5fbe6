"""`diptych demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.stack.up import stack_broker_option

if TYPE_CHECKING:
    from local.options import Broker

_COUNT = click.IntRange(2, 400)


@click.command()
@stack_broker_option
@click.option("-n", "--count", type=_COUNT, default=16, show_default=True, help="Images per target.")
@click.option("--model", default="faces-64", show_default=True, help="Model to generate with.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Seed of the job.")
def demo(broker: Broker, count: int, model: str, seed: int) -> None:
    """Run a demo: start a stack, generate on both targets, compare, stop the stack.

    A stack that already runs in this folder is used, and left running.
    """
    from diptych.commands.stack.demo_run import Demo

    Demo(Path.cwd(), broker=broker, count=count, model=model, seed=seed).run()
