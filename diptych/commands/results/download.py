"""`diptych results download`: copy a job, show the progress, report what was copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from diptych.commands.options import print_json
from diptych.commands.results.output import size
from diptych.commands.results.progress import progress_bar
from pipeline.errors import RequestError
from results.documents import Manifest
from results.download import Download
from results.stores.base import Store
from results.targets import Target


@dataclass
class _CopyCounts:
    """What has been copied so far."""

    images: int = 0
    copied: int = 0
    kept: int = 0
    copied_bytes: int = 0


def download_job(
    store: Store, manifest: Manifest, targets: Sequence[Target], folder: Path, as_json: bool
) -> None:
    """Copy a job to a folder and report what was done.

    Raises:
        RequestError: the folder cannot be written to.
        ImageError, DocumentError, StoreError: see `Download.run`.
    """
    counts = _CopyCounts()
    asked = manifest.count * len(targets)
    try:
        with writing_to(folder):
            _copy(store, manifest, targets, folder, counts, asked)
    except KeyboardInterrupt:
        click.echo(
            f"{counts.images:,} of {asked:,} images are in {folder}; the same command again goes on", err=True
        )
        raise
    missing = asked - counts.images
    if as_json:
        return print_json(
            {
                "job_id": manifest.job_id,
                "folder": str(folder),
                "images": counts.images,
                "images_missing": missing,
                "objects_copied": counts.copied,
                "objects_kept": counts.kept,
                "bytes_copied": counts.copied_bytes,
            }
        )
    click.echo(
        f"{folder}: {counts.images:,} images; copied {counts.copied:,} files ({size(counts.copied_bytes)}),"
        f" {counts.kept:,} were there already"
    )
    if missing:
        click.echo(f"{missing:,} images are not in the store yet: see `diptych status {manifest.job_id}`")
    return None


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn a failure to write to a path into one line. Raises RequestError."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"cannot write to {path}: {error.strerror or error}") from error


def _copy(
    store: Store, manifest: Manifest, targets: Sequence[Target], folder: Path, counts: _CopyCounts, asked: int
) -> None:
    with progress_bar("images", total=asked) as advance:
        for fetched in Download(store, manifest, folder).run(targets):
            if fetched.kept:
                counts.kept += 1
            else:
                counts.copied += 1
                counts.copied_bytes += fetched.size_bytes
            if fetched.is_image:
                counts.images += 1
                advance()
