"""What a contact sheet looks like: margins, type and colours, and nothing of what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PAPER: Final = (250, 249, 246)
INK: Final = (28, 30, 34)
SOFT: Final = (118, 120, 126)
EMPTY: Final = (232, 230, 225)
EMPTY_INK: Final = (168, 164, 156)
RULE: Final = (214, 211, 204)

MARGIN: Final = 36
PANEL_GAP: Final = 44
TILE_GAP: Final = 6
LABEL_HEIGHT: Final = 15
TITLE_HEIGHT: Final = 62
HEADING_HEIGHT: Final = 40
FOOTER_HEIGHT: Final = 38
MIN_PANEL_WIDTH: Final = 300
MIN_WIDTH: Final = 480

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of a panel.

    Args:
        label: what stands below it.
        image: uint8 [H, W, 3], or a word for why there is none.
    """

    label: str
    image: NDArray[np.uint8] | str


class Canvas:
    """A sheet of panels side by side, each a grid of square tiles.

    Args:
        panels: how many.
        columns: tiles in a row of a panel.
        rows: rows of a panel.
        tile_side: side of a tile in pixels.
    """

    def __init__(self, panels: int, columns: int, rows: int, tile_side: int) -> None:
        self._columns = columns
        self._side = tile_side
        self._grid_width = columns * (tile_side + TILE_GAP) - TILE_GAP
        self._panel_width = max(self._grid_width, MIN_PANEL_WIDTH)
        self._top = MARGIN + TITLE_HEIGHT + HEADING_HEIGHT
        bottom = self._top + rows * (tile_side + LABEL_HEIGHT + TILE_GAP)
        width = 2 * MARGIN + panels * (self._panel_width + PANEL_GAP) - PANEL_GAP
        self._width = max(width, MIN_WIDTH)
        self.image = Image.new("RGB", (self._width, bottom + FOOTER_HEIGHT + MARGIN // 2), PAPER)
        self._draw = ImageDraw.Draw(self.image)
        self._bottom = bottom

    def title(self, name: str, details: str) -> None:
        """Write the sheet's title and, on the line below, its details."""
        self._text((MARGIN, MARGIN), name, 26, INK, room=self._width - 2 * MARGIN)
        self._text((MARGIN, MARGIN + 34), details, 15, SOFT, room=self._width - 2 * MARGIN)

    def heading(self, panel: int, name: str, count: str) -> None:
        """Write a panel's name to the left, a count to the right, and a rule below."""
        left, right = self._left(panel), self._left(panel) + self._panel_width
        baseline = self._top - 16
        self._draw.text((left, baseline), name, INK, _font(19), anchor="ls")
        self._draw.text((right, baseline), count, SOFT, _font(14), anchor="rs")
        self._draw.line((left, self._top - 8, right, self._top - 8), RULE, 1)

    def tile(self, panel: int, place: int, tile: Tile) -> None:
        """Draw one tile; `place` counts along the rows."""
        row, column = divmod(place, self._columns)
        x = self._left(panel) + column * (self._side + TILE_GAP)
        y = self._top + row * (self._side + LABEL_HEIGHT + TILE_GAP)
        if isinstance(tile.image, str):
            self._empty(x, y, tile.image)
        else:
            self.image.paste(self._scaled(tile.image), (x, y))
        self._draw.text((x + 1, y + self._side + 2), tile.label, SOFT, _font(11), anchor="la")

    def footer(self, text: str) -> None:
        """Write one line at the foot."""
        room = self._width - 2 * MARGIN
        self._text((MARGIN, self._bottom + FOOTER_HEIGHT // 2), text, 13, SOFT, room=room)

    def _left(self, panel: int) -> int:
        return MARGIN + panel * (self._panel_width + PANEL_GAP)

    def _empty(self, x: int, y: int, why: str) -> None:
        right, bottom = x + self._side - 1, y + self._side - 1
        self._draw.rectangle((x, y, right, bottom), EMPTY)
        self._draw.line((x, bottom, right, y), RULE, 1)
        size = 13 if self._side >= 64 else 10
        middle = (x + self._side / 2, y + self._side / 2)
        self._draw.text(middle, why, EMPTY_INK, _font(size), anchor="mm", stroke_width=2, stroke_fill=EMPTY)

    def _scaled(self, pixels: NDArray[np.uint8]) -> Image.Image:
        image = Image.fromarray(pixels)
        if image.size == (self._side, self._side):
            return image
        # Enlarged pixels stay squares: a sheet shows what was generated and does not flatter it.
        grows = image.width < self._side
        resample = Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS
        return image.resize((self._side, self._side), resample)

    def _text(
        self, at: tuple[int, int], text: str, size: int, colour: tuple[int, int, int], *, room: int
    ) -> None:
        """Write text, smaller where it would not fit into `room` pixels."""
        while size > 9 and self._draw.textlength(text, _font(size)) > room:
            size -= 1
        self._draw.text(at, text, colour, _font(size), anchor="la")


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
