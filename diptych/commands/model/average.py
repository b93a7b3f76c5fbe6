"""`diptych model average`."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.options import output_option


@click.command()
@click.argument(
    "checkpoints",
    metavar="CHECKPOINT CHECKPOINT...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@output_option("The averaged checkpoint to write.", metavar="FILE")
def average(checkpoints: tuple[Path, ...], output: Path) -> None:
    """Average the weights of two or more checkpoints of one run.

    The mean of a run's late checkpoints often generates better images than each of them. Measure it with
    `diptych model gate` and `diptych model quality`.
    """
    from model.averaging import average_checkpoints
    from model.checkpoint import save_checkpoint

    if len(checkpoints) < 2:
        raise click.UsageError("give two or more checkpoints")
    tensors, config = average_checkpoints(checkpoints)
    click.echo(f"{output} sha256:{save_checkpoint(output, tensors, config).removeprefix('sha256:')}")
