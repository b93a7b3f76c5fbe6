"""`diptych bench report`: rebuilds a run's report from its files, or sets two runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.options import require_extra


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the report of two runs to this file [compare-A-B.html].",
)
def report(run: Path, other: Path | None, out: Path | None) -> None:
    """Rebuild summary and report of RUN from its raw file, or write one report of RUN and OTHER.

    RUN is a folder of `bench load`, `queue`, `cold`, `compare` or `scale`, OTHER one of the same benchmark.
    Also reports a run that was killed, as far as its raw file goes.
    """
    from bench.errors import BenchError
    from bench.runs.folder import REPORT_NAME
    from bench.runs.kinds import kind_of, read_again, side_by_side, write_again
    from bench.runs.read import read_run

    if other is None and out is not None:
        raise click.UsageError("--out needs two runs: the report of one run stays in its folder")
    paths = [path for path in (run, other) if path]
    if any(read_run(path).configuration.get("command") == "load" for path in paths):
        require_extra("bench")
    runs = [read_again(path) for path in paths]
    if other is None:
        write_again(runs[0])
        for line in kind_of(runs[0]).text_lines(runs[0]):
            click.echo(line)
        click.echo(f"report: {run / REPORT_NAME}")
        return
    page = side_by_side(runs)
    target = out or Path(f"compare-{run.resolve().name}-{other.resolve().name}.html")
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"report: {target}")
