"""How plots look, and how they become inline SVG that follows the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from results.targets import TARGET_INFO, target_css

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#101112"
MUTED: Final = "#707172"
GRID: Final = "#d0d1d2"
TARGETS: Final[Mapping[str, str]] = {name: info.colour for name, info in TARGET_INFO.items()}
STAGES: Final[Mapping[str, str]] = {
    "queue": "#b0b1b4",
    "load": "#8030a5",
    "generate": "#2050a6",
    "encode, store": "#209097",
    "commit": "#c0a008",
}
COLD: Final = "#8030a9"
WIDTH_IN: Final = 4.6
"""Of every plot: narrow enough that its letters can be read on a phone."""

_VARIABLES: Final[Mapping[str, str]] = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    COLD: "cold",
    **{colour: target for target, colour in TARGETS.items()},
    **{colour: f"stage-{number}" for number, colour in enumerate(STAGES.values())},
}
"""matplotlib draws with these stand-ins; the page's style sheet says what they are, by day and by night."""
_RC: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "text.parse_math": False,
}
_PROLOG: Final = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_NAMESPACE: Final = re.compile(r' xmlns(?::xlink)?="[^"]*"')
_GEOMETRY: Final = re.compile(r' (?:d|x|y)="[^"]*"')
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")
_BREAK: Final = re.compile(r" *\n *")
_SIZE: Final = re.compile(r' (?:width|height)="[\d.]+pt"')


def report_css() -> str:
    """The style sheet of a report, which plots take their colours from."""
    return files("results.report").joinpath("report.css").read_text(encoding="utf-8") + target_css()


@dataclass(frozen=True, slots=True)
class Plot:
    """One drawing.

    Args:
        name: unique on the page.
        title: its heading.
        caption: what is seen, and of what.
        svg: markup, without an outer document.
    """

    name: str
    title: str
    caption: str
    svg: str


def spaced(length: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the positions 0..length - 1, evenly, both ends among them."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(length, most)).astype(np.int64))


@contextmanager
def drawn(height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in our style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as NewFigure

    with mpl.rc_context(_RC):
        figure = NewFigure(figsize=(WIDTH_IN, height_in), layout="constrained")
        yield figure, figure.add_subplot()


def stacked_bars(axes: Axes, parts: Mapping[str, NDArray[np.float64]], colours: Iterable[str]) -> None:
    """A lying bar for each row, its parts one behind the other.

    Args:
        axes: where.
        parts: their names, for the legend, and the length that each row has of them: float64 [n].
        colours: of the parts.
    """
    left: Any = 0.0
    for (name, lengths), colour in zip(parts.items(), colours, strict=False):
        axes.barh(range(len(lengths)), lengths, 0.72, left, color=colour, label=name, linewidth=0)
        left = left + lengths


def finished(figure: Figure, name: str, title: str, caption: str) -> Plot:
    """Turn a figure into inline SVG: no prolog, no metadata, no address, colours by variable."""
    import matplotlib as mpl

    buffer = io.StringIO()
    # Ids are hashed with the plot's name: several plots share one page.
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = _METADATA.sub("", _PROLOG.sub("", buffer.getvalue()))
    head, tag, body = text.partition(">")
    head = _SIZE.sub("", _NAMESPACE.sub("", head))
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    # A hundredth of a point is more than a screen shows; six digits would double the page.
    body = _GEOMETRY.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), body)
    # Groups are called axes_1, patch_2, … in every plot: nothing refers to them.
    body = _BREAK.sub("\n", re.sub(r'<g id="[^"]*">', "<g>", body))
    label = f' role="img" aria-label="{escape(f"{title}. {caption}")}"'
    return Plot(name, title, caption, head + label + tag + body)
