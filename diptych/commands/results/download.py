"""`diptych results download`: the progress of a copy, and what is said of how it ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from diptych.commands.results.output import json_line, size
from pipeline.errors import RequestError
from results.documents import Manifest, Target
from results.download import Download
from results.stores.base import Store


@dataclass
class _Tally:
    """What has been copied so far."""

    images: int = 0
    copied: int = 0
    kept: int = 0
    copied_bytes: int = 0


def download_job(
    store: Store, manifest: Manifest, targets: Sequence[Target], folder: Path, as_json: bool
) -> None:
    """Copy a job to a folder and say what was done.

    Raises:
        RequestError: the folder cannot be written to.
        ImageError, DocumentError, StoreError: see `Download.run`.
    """
    tally = _Tally()
    asked = manifest.count * len(targets)
    try:
        with writing_to(folder):
            _copy(store, manifest, targets, folder, tally, asked)
    except KeyboardInterrupt:
        click.echo(
            f"{tally.images:,} of {asked:,} images are in {folder}; the same command again goes on", err=True
        )
        raise
    missing = asked - tally.images
    if as_json:
        return click.echo(
            json_line(
                {
                    "job_id": manifest.job_id,
                    "folder": str(folder),
                    "images": tally.images,
                    "images_missing": missing,
                    "objects_copied": tally.copied,
                    "objects_kept": tally.kept,
                    "bytes_copied": tally.copied_bytes,
                }
            )
        )
    click.echo(
        f"{folder}: {tally.images:,} images; copied {tally.copied:,} files ({size(tally.copied_bytes)}),"
        f" {tally.kept:,} were there already"
    )
    if missing:
        click.echo(f"{missing:,} images are not in the store yet: see `diptych status {manifest.job_id}`")
    return None


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Say in one line that a path cannot be written to. Raises RequestError."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"cannot write to {path}: {error.strerror or error}") from error


def _copy(
    store: Store, manifest: Manifest, targets: Sequence[Target], folder: Path, tally: _Tally, asked: int
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("images", total=asked)
        for fetched in Download(store, manifest, folder).run(targets):
            if fetched.kept:
                tally.kept += 1
            else:
                tally.copied += 1
                tally.copied_bytes += fetched.size_bytes
            if fetched.is_image:
                tally.images += 1
                progress.advance(bar)
