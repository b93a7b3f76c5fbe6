"""A benchmark's report as one HTML file, in the style of the other reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from bench.run_folder_read import StoredRun
from results.report.plot_style import Plot
from results.report.tables import table

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; img-src data:"
)


def page_html(title: str, lead: str, sections: Iterable[str]) -> str:
    """The whole file.

    Args:
        title: text.
        lead: text below it.
        sections: markup.
    """
    style = files("results.report").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><header><h1>{escape(title)}</h1>"
        f'<p class="lead">{escape(lead)}</p></header><main>{"".join(sections)}</main></body></html>\n'
    )


def plain_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts and numbers; the first cell of a row is its heading."""
    return table(
        caption,
        head,
        (
            (
                f'<th scope="row">{escape(str(first))}</th>',
                [f'<td class="num">{escape(str(cell))}</td>' for cell in others],
            )
            for first, *others in rows
        ),
    )


def mapping_table(caption: str, values: Mapping[str, Any]) -> str:
    """A table of names and what they stand for."""
    return word_table(caption, ("", ""), _flat(values))


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escape(text)}</p>"


def conditions(run: StoredRun) -> str:
    """What was asked, and where it ran."""
    tables = mapping_table("Configuration", run.configuration) + mapping_table("Environment", run.environment)
    return f"<h2>Conditions</h2>{tables}"


def pair_conditions(runs: Sequence[StoredRun], names: Sequence[str]) -> str:
    """What two runs differ in; what they share is folded away."""
    flat = [
        {name: cell for part in (run.configuration, run.environment) for name, cell in _flat(part)}
        for run in runs
    ]
    keys = [*dict.fromkeys(key for one in flat for key in one)]
    rows = [(key, *(one.get(key, "") for one in flat)) for key in keys]
    apart = [row for row in rows if len({*row[1:]}) > 1]
    shared = [row[:2] for row in rows if len({*row[1:]}) == 1]
    folded = word_table("Shared conditions", ("", ""), shared)
    return (
        f"<h2>Conditions</h2>{word_table('What differs', ('', *names), apart)}"
        f"<details><summary>What both share</summary>{folded}</details>"
    )


def word_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, which may be long and break."""
    return table(
        caption,
        head,
        (
            (
                f'<th scope="row">{escape(first)}</th>',
                [f'<td class="words">{escape(cell)}</td>' for cell in others],
            )
            for first, *others in rows
        ),
        words=len(head) - 1,
    )


def figures(plots: Iterable[Plot]) -> str:
    """Plots with their headings and captions."""
    drawn = "".join(
        f"<figure><h3>{escape(plot.title)}</h3>{plot.svg}<figcaption>{escape(plot.caption)}</figcaption></figure>"
        for plot in plots
    )
    return f'<div class="plots">{drawn}</div>' if drawn else '<p class="small">Nothing to draw.</p>'


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "" if value is None else str(value)
