"""One place in a gallery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GalleryTile:
    """What is shown of one image.

    Args:
        index: its index in the job.
        state: "ok", "missing" (not generated yet, or gone), or "damaged".
        thumbnail: its address, relative to the page; "" unless "ok".
        original: the same of the PNG; "" if it is not to be had from there.
        width: of the thumbnail, in pixels; likewise the height.
    """

    index: int
    state: Literal["ok", "missing", "damaged"]
    thumbnail: str = ""
    original: str = ""
    width: int = 0
    height: int = 0
