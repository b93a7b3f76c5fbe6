"""`diptych results ls`, `show`, `download` and `contact-sheet`. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.options import job_argument, json_option, store_option
from diptych.commands.results.job import chosen_targets as _targets
from diptych.commands.results.job import open_job as _open
from diptych.commands.results.job import target_option


@click.command()
@job_argument
@click.option("--records", "of_records", is_flag=True, help="List records (one per task) instead of images.")
@click.option(
    "--after", type=click.IntRange(min=0), help="Start after this image index (or task, with --records)."
)
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number per target.")
@target_option
@json_option
@store_option
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
@json_option
@store_option
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
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to copy to; created if missing.",
)
@target_option
@json_option
@store_option
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
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG file to write; an existing file is replaced.",
)
@click.option(
    "--images",
    "max_images",
    type=click.IntRange(1, 400),
    default=64,
    show_default=True,
    help="Images per panel; sampled evenly if the job has more.",
)
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
