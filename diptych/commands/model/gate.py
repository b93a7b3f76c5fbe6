"""`diptych model gate`: measure bf16 and int8 against fp32, and store the figures in the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.options import number_option, output_option

if TYPE_CHECKING:
    from model.precision_gate import PrecisionGate

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("checkpoint", type=FILE)
@output_option("Checkpoint to write.  [default: CHECKPOINT]", required=False, dir_okay=False)
@number_option("--seeds", 8, 4096, 256, "Number of images to compare.")
def gate(checkpoint: Path, output: Path | None, seeds: int) -> None:
    """Measure a checkpoint's lower precisions, so that `auto` may use them.

    The figures become part of the checkpoint and change its digest: run this before submitting jobs.
    """
    from model.checkpoint import read_tensors, save_checkpoint
    from model.engines.measure_precision import measure_precision_gate

    weights, config = read_tensors(checkpoint)
    measured = measure_precision_gate(
        weights, config, seeds=seeds, report=lambda line: click.echo(line, err=True)
    )
    output = output or checkpoint
    half = weights["to_rgb.weight"].itemsize == 2
    digest = save_checkpoint(output, weights, config.model_copy(update={"gate": measured}), half=half)
    click.echo("\n".join(_lines(measured)))
    click.echo(f"{output} {digest}")


def _lines(measured: PrecisionGate) -> list[str]:
    lines = ["precision  PSNR min  PSNR mean  time (fp32: 1)"]
    for name, figures in measured.precisions.items():
        layers = f"  last {len(measured.int8_layers)} convolutions" if name == "int8" else ""
        lines.append(
            f"{name:<9}  {figures.psnr_min_db:5.1f} dB  {figures.psnr_mean_db:6.1f} dB"
            f"  {figures.relative_time:.2f}{layers}"
        )
    fastest = measured.fastest_first()
    return [*lines, f"auto selects {fastest[0] if fastest else 'fp32'}"]
