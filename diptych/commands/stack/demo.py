"""`diptych demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from diptych.commands.stack.up import stack_broker_option

if TYPE_CHECKING:
    from local.options import Broker

_HELP: Final = {"help_option_names": ["-h", "--help"]}
_COUNT = click.IntRange(2, 400)


@click.command(context_settings=_HELP)
@stack_broker_option
@click.option("-n", "--count", type=_COUNT, default=16, show_default=True, help="Images per target.")
@click.option("--model", default="faces-64", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True)
def demo(broker: Broker, count: int, model: str, seed: int) -> None:
    """Run the main job once: start a stack, generate on both targets, compare, end the stack.

    If a stack runs in this folder already, it is used, and left running.
    """
    from diptych.commands.stack.demo_run import Demo

    Demo(Path.cwd(), broker=broker, count=count, model=model, seed=seed).run()
