"""A benchmark's report as one HTML file, in the style of the other reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from bench.runs.read import StoredRun
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


def plain_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 0
) -> str:
    """A table of texts and numbers; the first cell of a row is its heading.

    Args:
        caption: text.
        head: texts.
        rows: cells.
        words: so many of the last columns hold texts, which may be long and break.
    """
    kinds = ["num"] * (len(head) - 1 - words) + ["words"] * words
    return table(
        caption,
        head,
        (
            (
                f'<th scope="row">{escape(str(first))}</th>',
                [
                    f'<td class="{kind}">{escape(str(cell))}</td>'
                    for kind, cell in zip(kinds, others, strict=True)
                ],
            )
            for first, *others in rows
        ),
        words=words,
    )


def mapping_table(caption: str, values: Mapping[str, Any]) -> str:
    """A table of names and what they stand for."""
    return plain_table(caption, ("", ""), _flat(values), words=1)


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escape(text)}</p>"


def method_section(*texts: str) -> str:
    """How it was measured, a paragraph each; alike ones once."""
    return "<h2>Method</h2>" + "".join(map(paragraph, dict.fromkeys(texts)))


def conditions(run: StoredRun) -> str:
    """What was asked, and where it ran."""
    machine = run.environment
    where = (
        f"{machine.get('cpu_model')}, {machine.get('cores')} cores, load {_text(machine.get('load_average'))}"
    )
    code = f"Diptych {machine.get('diptych')}, commit {str(machine.get('commit'))[:10]}"
    changed = ", with changes that are not committed" if machine.get("uncommitted_changes") else ""
    folded = "".join(
        folded_away(name, mapping_table("", values))
        for name, values in (("Configuration", run.configuration), ("Environment", machine))
    )
    return f"<h2>Conditions</h2>{paragraph(f'{where}; {code}{changed}.')}{folded}"


def pair_conditions(runs: Sequence[StoredRun], names: Sequence[str]) -> str:
    """What two runs differ in; what they share is folded away."""
    flat = [
        {name: cell for part in (run.configuration, run.environment) for name, cell in _flat(part)}
        for run in runs
    ]
    keys = [*dict.fromkeys(key for cells in flat for key in cells)]
    rows = [(key, *(cells.get(key, "") for cells in flat)) for key in keys]
    apart = [row for row in rows if len({*row[1:]}) > 1]
    shared = [row[:2] for row in rows if len({*row[1:]}) == 1]
    folded = plain_table("", ("", ""), shared, words=1)
    differing = plain_table("What differs", ("", *names), apart, words=2)
    return f"<h2>Conditions</h2>{differing}{folded_away('What both share', folded)}"


def folded_away(name: str, markup: str, *, opened: bool = False) -> str:
    """What few will look for: shown at a click, without a script."""
    state = " open" if opened else ""
    return f'<details{state} style="margin: 0 0 1rem"><summary>{escape(name)}</summary>{markup}</details>'


def figures(plots: Iterable[Plot]) -> str:
    """Plots with their headings and captions."""
    markup = "".join(
        f"<figure><h3>{escape(plot.title)}</h3>{plot.svg}<figcaption>{escape(plot.caption)}</figcaption></figure>"
        for plot in plots
    )
    # One alone would be stretched over the page, its letters too.
    narrow = ' style="max-width: 34rem"' if markup.count("<figure>") == 1 else ""
    return f'<div class="plots"{narrow}>{markup}</div>' if markup else '<p class="small">Nothing to draw.</p>'


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: object) -> str:
    """A value for people: six digits that count are enough of any measurement."""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return "" if value is None else str(value)
