"""`diptych results ls`, `show`, `download` and `contact-sheet`. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.options import (
    job_argument,
    number_option,
    output_option,
    store_option,
    store_options,
    target_option,
)
from diptych.commands.results.job import chosen_targets as _targets
from diptych.commands.results.job import open_job as _open


@click.command()
@job_argument
@click.option("--records", "of_records", is_flag=True, help="List records (one per task) instead of images.")
@click.option(
    "--after", type=click.IntRange(min=0), help="Start after this image index (or task, with --records)."
)
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number per target.")
@target_option
@store_options
def ls(
    job_id: str,
    of_records: bool,
    after: int | None,
    limit: int | None,
    targets: tuple[str, ...],
    as_json: bool,
    store_url: str | None,
) -> None:
    """List a job's images or records. With --json: one object per line.

    \b
    diptych results ls my-batch --limit 20
    diptych results ls my-batch --records --target function --json
    """
    from itertools import islice

    from diptych.commands.results.output import image_lines, record_lines

    store, manifest = _open(job_id, store_url)
    lines = record_lines if of_records else image_lines
    for target in _targets(manifest, targets):
        for line in islice(lines(store, manifest, target, after, as_json), limit):
            click.echo(line)


@click.command()
@job_argument
@click.argument("index", required=False, type=click.IntRange(min=0))
@click.option("--task", type=click.IntRange(min=0), help="Show the records of this task.")
@target_option
@store_options
def show(
    job_id: str,
    index: int | None,
    task: int | None,
    targets: tuple[str, ...],
    as_json: bool,
    store_url: str | None,
) -> None:
    """Show a job, one of its images (provenance, hashes), or one of its tasks (timings).

    \b
    diptych results show my-batch
    diptych results show my-batch 12
    diptych results show my-batch --task 3
    """
    from diptych.commands.results import show as results_show

    if index is not None and task is not None:
        raise click.UsageError("give an INDEX or --task, not both")
    store, manifest = _open(job_id, store_url)
    chosen = _targets(manifest, targets)
    if index is not None:
        results_show.show_image(store, manifest, chosen, index, as_json)
    elif task is not None:
        results_show.show_task(store, manifest, chosen, task, as_json)
    else:
        results_show.show_job(store, manifest, chosen, as_json)


@click.command()
@job_argument
@output_option("Folder to copy to; created if missing.", "folder", metavar="DIR", file_okay=False)
@target_option
@store_options
def download(
    job_id: str, folder: Path, targets: tuple[str, ...], as_json: bool, store_url: str | None
) -> None:
    """Copy a job's images and records to a folder.

    Existing files are verified by hash and not copied again: run the command again to continue an
    interrupted download.
    """
    from diptych.commands.results.download import download_job

    store, manifest = _open(job_id, store_url)
    download_job(store, manifest, _targets(manifest, targets), folder, as_json)


@click.command()
@job_argument
@output_option("PNG file to write; an existing file is replaced.", "path", dir_okay=False)
@number_option("--images max_images", 1, 400, 64, "Images per panel; sampled evenly if the job has more.")
@store_option
def contact_sheet(job_id: str, path: Path, max_images: int, store_url: str | None) -> None:
    """Write one PNG with the same images of every target, in panels side by side."""
    from diptych.commands.results.download import writing_to
    from results.imaging.contact_sheet import contact_sheet as draw_sheet

    if path.suffix.lower() != ".png":
        raise click.UsageError(f"the output must end in .png, not {path.name!r}")
    store, manifest = _open(job_id, store_url)
    sheet = draw_sheet(store, manifest.job_id, max_images=max_images)
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sheet)
    click.echo(path)
