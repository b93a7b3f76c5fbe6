"""`diptych bench report`: a run's report again, from its files alone; or two runs side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Of two: where to [compare-A-B.html]")
def report(run: Path, other: Path | None, out: Path | None) -> None:
    """Write the report of RUN again, or one of RUN and OTHER side by side.

    A run that was killed has figures too, of what its raw file holds.
    """
    from bench.errors import BenchError
    from bench.load.analysis import analyse, samples_of, write_outputs
    from bench.load.report import side_by_side
    from bench.run_folder_read import StoredRun, read_run

    def read(path: Path) -> StoredRun:
        from dataclasses import replace

        found = read_run(path)
        if found.configuration.get("command") != "load":
            raise BenchError(f"{path} is a run of `bench {found.configuration.get('command')}`, not of load")
        results = analyse(found, {name: value for name, value in found.results.items() if name != "targets"})
        return replace(found, summary={**found.summary, "results": results})

    runs = [read(path) for path in (run, other) if path]
    if other is None:
        write_outputs(runs[0])
        click.echo(
            f"report: {run / 'report.html'}{' (partial: ' + runs[0].status + ')' if runs[0].partial else ''}"
        )
        return
    target = out or Path(f"compare-{run.name}-{other.name}.html")
    try:
        target.write_text(side_by_side(runs, [samples_of(one) for one in runs]), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"report: {target}")
