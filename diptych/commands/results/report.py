"""`diptych results report`: a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.options import output_option, settings_of, store_of, store_option
from diptych.commands.results.compare import (
    jobs_argument,
    margin_option,
    read_jobs,
    seed_option,
    without_records,
)


@click.command(short_help="Write the comparison as one HTML file, with plots.")
@jobs_argument
@output_option("HTML file to write; an existing file is replaced.", "path", dir_okay=False)
@margin_option
@seed_option
@store_option
def report(names: tuple[str, ...], path: Path, margin: float, seed: int, store_url: str | None) -> None:
    """Write a comparison as one HTML file with tables, plots and the method in words.

    The file needs no network and no script. It can be mailed, printed, or opened from a folder.
    Damaged records are left out, as `compare` does; it and this command say how many.

    \b
    diptych results report my-batch -o report.html
    diptych results report 'trial-*' -o report.html
    """
    from diptych.commands.results.download import writing_to
    from pipeline.errors import RequestError
    from results.comparison.compare import compare
    from results.comparison.format import damage, printable
    from results.report.page import report_html

    if path.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"the output must end in .html, not {path.name!r}")
    store = store_of(settings_of(store_url=store_url))
    jobs = read_jobs(store, names)
    if not any(len(columns.task) for job in jobs for columns in job.targets.values()):
        raise RequestError(without_records(jobs))
    comparison = compare(store, jobs, margin=margin, seed=seed)
    page = report_html(comparison, jobs)
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    for line in (line for summary in comparison.targets for line in damage(summary)):
        click.echo(printable(line), err=True)
    click.echo(path)
