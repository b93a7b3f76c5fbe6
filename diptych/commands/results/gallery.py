"""`diptych results gallery`: a job as static pages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.options import (
    job_argument,
    output_option,
    print_json,
    store_options,
    target_option,
)
from diptych.commands.results.job import chosen_targets, open_job
from diptych.commands.results.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.gallery.tile import GalleryTile


@click.command(short_help="Write static pages with thumbnails.")
@job_argument
@output_option(
    "Folder to write to; created if missing.", "folder", required=False, metavar="DIR", file_okay=False
)
@click.option("--into-store", is_flag=True, help="Write beside the job's images, for a published bucket.")
@click.option("--originals", is_flag=True, help="With -o: copy the PNGs too, so that a click shows them.")
@target_option
@store_options
def gallery(
    job_id: str,
    folder: Path | None,
    into_store: bool,
    originals: bool,
    targets: tuple[str, ...],
    as_json: bool,
    store_url: str | None,
) -> None:
    """Write a job as static pages with thumbnails, the targets side by side.

    They need no server and no network: open DIR/index.html. For a private bucket use `diptych web`.

    \b
    diptych results gallery my-batch -o gallery
    diptych results gallery my-batch --into-store
    """
    from diptych.commands.results.download import writing_to
    from results.gallery.place import FolderPlace, StorePlace
    from results.gallery.write import write_gallery

    if (folder is None) is not into_store:
        raise click.UsageError("say where to write: either -o DIR or --into-store")
    if originals and into_store:
        raise click.UsageError("--originals is for -o DIR: in the store the PNGs are there already")
    store, manifest = open_job(job_id, store_url)
    chosen = chosen_targets(manifest, targets)
    place: FolderPlace | StorePlace
    if folder is None:
        place = StorePlace(store, manifest.job_id)
        first = place.url
    else:
        place, first = FolderPlace(folder, with_originals=originals), str(folder / "index.html")
    with writing_to(folder or Path(first)):
        counts = _counted(write_gallery(store, manifest, place, chosen), manifest.count * len(chosen))
    states = {state: counts[state] for state in ("ok", "missing", "damaged")}
    if as_json:
        return print_json({"job_id": manifest.job_id, "index": first, **states})
    lacking = "".join(f", {states[state]:,} {state}" for state in ("missing", "damaged") if states[state])
    click.echo(f"{first}: {states['ok']:,} images{lacking}")
    return None


def _counted(tiles: Iterable[GalleryTile], total: int) -> Counter[str]:
    """Count the tiles by state, with a progress bar on a terminal."""
    counts: Counter[str] = Counter()
    with progress_bar("images", total=total) as advance:
        for tile in tiles:
            counts[tile.state] += 1
            advance()
    return counts
