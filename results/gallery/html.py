"""One page of a gallery as HTML. Everything that comes from a store is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from results.documents import Manifest
from results.gallery.tile import GalleryTile
from results.targets import TARGET_INFO, Target, target_css

PAGE_LINKS: Final = 4
"""Pages on either side of the present one that are linked to, beside the first and the last."""
# Nothing but pictures that lie beside the page: 'self' is what a server, file: what a folder calls them.
_POLICY: Final = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; base-uri 'none'"


def page_file(page: int) -> str:
    """File name of a page, counted from 0."""
    return "index.html" if page == 0 else f"page-{page + 1:05d}.html"


def page_html(job: Manifest, panels: Mapping[Target, Sequence[GalleryTile]], page: int, pages: int) -> str:
    """Make a page.

    Args:
        job: the job's manifest.
        panels: per target, the tiles of this page.
        page: 0..pages-1.
        pages: how many there are.
    """
    css = files("results.gallery").joinpath("gallery.css").read_text(encoding="utf-8") + target_css()
    title = escape(job.job_id)
    facts = f"{job.count:,} images · {job.model} · seed {job.seed} · {job.submitted_at:%d %b %Y, %H:%M} UTC"
    links = _links(page, pages)
    sections = "\n".join(_panel(target, tiles) for target, tiles in panels.items())
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title} · Diptych</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n<p>{escape(facts)}</p>\n{links}"
        f'<main class="panels">\n{sections}\n</main>\n{links}</body>\n</html>\n'
    )


def _panel(target: Target, tiles: Sequence[GalleryTile]) -> str:
    shown = sum(tile.state == "ok" for tile in tiles)
    name = escape(TARGET_INFO[target].label)
    body = "\n".join(_tile(target, tile) for tile in tiles)
    return (
        f'<section data-target="{escape(target)}" aria-label="{name}">\n'
        f"<h2>{name} <small>{shown:,} of {len(tiles):,} on this page</small></h2>\n"
        f'<div class="tiles">\n{body}\n</div>\n</section>'
    )


def _tile(target: Target, tile: GalleryTile) -> str:
    label = f"Image {tile.index} by the {target}"
    if tile.state != "ok":
        said = f"{label}: {tile.state}"
        mark = "damaged" if tile.state == "damaged" else ""
        return f'<span class="{mark}" title="{escape(said)}">{mark}</span>'
    side = f'width="{tile.width}" height="{tile.height}"'
    image = f'<img src="{escape(tile.thumbnail)}" {side} loading="lazy" alt="{escape(label)}">'
    if not tile.original:
        return f'<span title="{escape(label)}">{image}</span>'
    return f'<a href="{escape(tile.original)}" title="{escape(label)}">{image}</a>'


def _links(page: int, pages: int) -> str:
    if pages == 1:
        return ""
    near = range(max(0, page - PAGE_LINKS), min(pages, page + PAGE_LINKS + 1))
    parts = []
    for number in sorted({0, *near, pages - 1}):
        if number == page:
            parts.append(f'<b aria-current="page">{number + 1:,}</b>')
        else:
            parts.append(f'<a href="{page_file(number)}">{number + 1:,}</a>')
    return f'<nav aria-label="Pages">{"".join(parts)}</nav>\n'
