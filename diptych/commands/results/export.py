"""`diptych results export`: a job's images and records in the forms that people load next."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from diptych.commands.options import (
    job_argument,
    number_option,
    output_option,
    print_json,
    require_extra,
    store_options,
    target_option,
)
from diptych.commands.results.job import chosen_targets, open_job
from diptych.commands.results.progress import progress_bar
from producer.text import counted

if TYPE_CHECKING:
    from results.documents import Manifest
    from results.export.run import Form, Running
    from results.export.samples import Source
    from results.export.single import ExportCounts
    from results.stores.base import Store
    from results.targets import Target

NOT_WHOLE_EXIT: Final = 3
"""Exit code when something was missing or damaged, and is left out."""
STDOUT: Final = Path("-")
_TELL_AT_MOST: Final = 20


@click.command(short_help="Write images and records as zip, tar, WebDataset, Parquet, CSV or JSON lines.")
@job_argument
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["zip", "tar", "webdataset", "parquet", "csv", "jsonl"]),
    help="csv and jsonl are metadata alone.",
)
@output_option(
    "A file (a folder for webdataset and parquet), or - for standard output.  [default: after the job]",
    "path",
    required=False,
)
@number_option("--shard-size", 1, 1_000_000, 1000, "Images per file of webdataset and parquet.")
@click.option("--strict", is_flag=True, help="Stop at the first image or record that is missing or damaged.")
@click.option("--both", "every", is_flag=True, help="Export the images of every target, not each image once.")
@target_option
@store_options
def export(
    job_id: str,
    form: str,
    path: Path | None,
    shard_size: int,
    strict: bool,
    every: bool,
    targets: tuple[str, ...],
    as_json: bool,
    store_url: str | None,
) -> None:
    """Write a job's images and records in a form that other programs load.

    Images of tasks that are done, checked against their records' hashes. Of a job with several targets each
    image is exported once, of the target that has the most of them; --both exports them all. Interrupted, the
    same command continues. Equal jobs give equal bytes. Exit code 3 if something was missing or damaged and
    is left out.

    \b
    diptych results export my-batch --format zip
    diptych results export my-batch --format webdataset -o shards --target function
    diptych results export my-batch --format csv -o - | head
    """
    if form == "parquet":
        require_extra("parquet")
    from results.export.run import METADATA_ONLY, export_to_path, export_to_stream, is_sharded
    from results.export.samples import Source

    store, manifest = open_job(job_id, store_url)
    chosen = cast("Form", form)
    source = Source(
        store,
        manifest,
        _exported_targets(store, manifest, targets, every),
        chosen not in METADATA_ONLY,
        strict,
        _Teller().tell,
    )
    out = path or Path(f"{job_id}-{form}" if is_sharded(chosen) else f"{job_id}.{form}")
    if out == STDOUT:
        _refuse_terminal(chosen)
        with export_to_stream(source, chosen, sys.stdout.buffer) as running:
            _write(running, source)
    else:
        with _errors_told(out), export_to_path(source, chosen, out, shard_size) as running:
            _write(running, source)
    _report(running.counts, source, as_json, to_stderr=out == STDOUT)
    if running.counts.left_out:
        click.get_current_context().exit(NOT_WHOLE_EXIT)


def _exported_targets(
    store: Store, manifest: Manifest, targets: tuple[str, ...], every: bool
) -> tuple[Target, ...]:
    """The targets asked for; without --target and --both the fullest one, with a line on what differs."""
    from results.export.once import differing_images, fullest_target

    if targets and every:
        raise click.UsageError("--both exports every target: leave out --target")
    if targets or every or len(manifest.targets) == 1:
        return chosen_targets(manifest, targets)
    chosen = fullest_target(store, manifest)
    for other, count in differing_images(store, manifest, chosen).items():
        if count:
            click.echo(
                f"{other} generated {counted(count, 'image')} with other bytes than {chosen};"
                f" {chosen}'s are exported (--target {other} or --both chooses)",
                err=True,
            )
    return (chosen,)


class _Teller:
    """Says what is left out; after a while it only counts."""

    def __init__(self) -> None:
        self._told = 0

    def tell(self, problem: str) -> None:
        self._told += 1
        if self._told <= _TELL_AT_MOST:
            click.echo(f"left out: {' '.join(problem.split())}", err=True)
        elif self._told == _TELL_AT_MOST + 1:
            click.echo("left out: more of them, no longer listed one by one", err=True)


def _refuse_terminal(form: Form) -> None:
    from results.export.run import METADATA_ONLY

    if form not in METADATA_ONLY and sys.stdout.isatty():
        raise click.UsageError(f"{form} is binary: send it to a pipe or a file, not to the terminal")


@contextmanager
def _errors_told(path: Path) -> Iterator[None]:
    """Say in one line what cannot be written, and how to go on."""
    from pipeline.errors import RequestError

    again = "the same command goes on where it was"
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"{path} is not whole yet: {again}", err=True)
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = "the disk is full" if error.errno != errno.EFBIG else "files may not grow further here"
            raise RequestError(f"cannot write {path}: {reason}; make room, and {again}") from error
        raise RequestError(f"cannot write {path}: {error.strerror or error}") from error


def _write(running: Running, source: Source) -> None:
    total = source.manifest.count * len(source.targets)
    with progress_bar("images", total=total) as advance, closing(running.steps):
        for images in running.steps:
            advance(images)


def _report(counts: ExportCounts, source: Source, as_json: bool, *, to_stderr: bool) -> None:
    from diptych.commands.results.output import size

    asked = source.manifest.count * len(source.targets)
    missing = asked - counts.images
    if as_json:
        return print_json(
            {
                "job_id": source.manifest.job_id,
                "path": None if counts.path is None else str(counts.path),
                "images": counts.images,
                "images_kept": counts.kept,
                "images_missing": missing,
                "left_out": counts.left_out,
                "bytes": counts.size_bytes if counts.path else None,
            },
            err=to_stderr,
        )
    kept = f", {counts.kept:,} of them from an earlier run" if counts.kept else ""
    volume = f" ({size(counts.size_bytes)})" if counts.path else ""
    click.echo(
        f"{counts.path or 'standard output'}: {counted(counts.images, 'image')}{kept}{volume}", err=to_stderr
    )
    if counts.left_out:
        click.echo(f"left out, since missing or damaged: {counts.left_out:,} images or records", err=True)
    if missing:
        job_id = source.manifest.job_id
        click.echo(f"{counted(missing, 'image')} not in it: see `diptych status {job_id}`", err=True)
    return None
