"""The report of a cold run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.cold.sample import ColdStart
from bench.cold.summary import PAIRED, STEPS
from bench.load.report import figure, phases, told
from bench.runs.page import conditions, figures, page_html, paragraph, plain_table
from bench.runs.plots import legend_below, whole_ticks
from bench.runs.quantities import (
    Phases,
    means_table,
    milliseconds,
    percentiles_table,
    quantity_words,
)
from bench.runs.read import StoredRun
from results.report.plot_style import COLD, STAGES, TARGETS, Plot, drawn, finished

_COLOURS: Final = (*list(STAGES.values())[:1], COLD, *list(STAGES.values())[2:], TARGETS["celery"])
METHOD: Final = (
    "Each start is a new process, its server and settings as in `diptych up` with one slot; its files"
    " are in the system's cache, but perhaps for the first starts of all: the process is cold, not the"
    " disk. The order of the targets alternates. listen_s is when the port takes connections (looked at"
    " every 5 ms), first_response_s when a first GET is answered: health of the container, any answer of"
    " the function. gunicorn listens before its worker has imported the app, functions-framework imports"
    " the function first, so listen_s alone compares nothing. Then one task of one image is pushed."
    " interpreter_s is a bare Python, measured just before; the imports step is the rest until the first"
    " response; the first request step is from there to the handler (clients, what is imported late);"
    " model load and first inference are the record's. png_s and record_s are the store's creation"
    " times. Intervals (95%) of means, and of the paired log ratios, are the bootstrap's, as in `results"
    " compare`, from 20 starts on; those of percentiles are order statistics', and percentiles that the"
    " sample is too small for are left out. Import seconds are of one profiled start each, which is"
    " slower than the others and is not among them."
)


def report_html(run: StoredRun, starts: Sequence[ColdStart]) -> str:
    """One run as one file."""
    state = "".join(f" {mark}" for mark in run.marks)
    asked = run.configuration
    lead = (
        f"{run.path.name}: {asked.get('repeats')} starts of each target, model {asked.get('model')}.{state}"
    )
    return page_html(str(run.results.get("title") or "Cold starts"), lead, _sections(run, starts))


def _sections(run: StoredRun, starts: Sequence[ColdStart]) -> Iterator[str]:
    found = [*phases(run)]
    yield "<h2>Starts</h2>" + starts_tables(found)
    yield pairs_table(run.results.get("paired") or {})
    yield means_table(found) + percentiles_table(found, PAIRED)
    yield f"<h2>Plots</h2>{figures(_plots(found, starts))}"
    yield _imports(run.results.get("targets") or {})
    yield conditions(run) + "<h2>Method</h2>" + paragraph(METHOD)


def starts_tables(found: Phases) -> str:
    """What became of the starts, and the steps of those that came to an image."""
    rows = [(target, of["starts"], of["ok"], told(of["errors"]) or "none") for target, _, of in found]
    head = ("", *STEPS, "together")
    steps = [
        (target, *(milliseconds(part) for part in (*of["steps"].values(), sum(of["steps"].values()))))
        for target, _, of in found
        if of["steps"]
    ]
    return plain_table("What became of them", ("", "starts", "ok", "errors"), rows, words=1) + plain_table(
        "The way to the first stored image, mean milliseconds", head, steps
    )


def pairs_table(paired: Mapping[str, Any]) -> str:
    """The verdicts on pairs; "" without any."""
    if not paired:
        return ""
    rows = []
    for name in (key for key in paired if key not in ("ratio", "margin")):
        of = paired[name]
        interval = " … ".join(f"{end:.3f}" for end in of["interval"] or ()) or "–"
        needed = "" if of["pairs_needed"] is None else f"; about {of['pairs_needed']} pairs would tell"
        rows.append(
            (quantity_words(name), of["pairs"], f"{of['ratio']:.3f}", interval, of["verdict"] + needed)
        )
    caption = f"{paired['ratio']}, pairs of one repeat; equal within {paired['margin']:.0%}"
    return plain_table(caption, ("", "pairs", "ratio", "95% interval", "verdict"), rows, words=1)


def _imports(targets: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{target}, {when.replace('_', ' ')}",
            figure(part["seconds"]),
            part["modules"],
            _words(part["most"]),
        )
        for target, of in targets.items()
        for when, part in (of.get("imports") or {}).items()
    ]
    if not rows:
        return ""
    head = ("", "seconds", "modules", "most of it")
    return "<h2>Imports</h2>" + plain_table("Imports of one profiled start", head, rows, words=1)


def _words(most: Mapping[str, float]) -> str:
    return ", ".join(f"{package} {1000 * seconds:.0f} ms" for package, seconds in most.items())


def steps_plot(found: Phases) -> Iterator[Plot]:
    """Where the mean way to the first image goes."""
    title, since = "The way to the first stored image", "mean, seconds since the process's start"
    yield from steps_bars(found, STEPS, title, since)


def steps_bars(found: Phases, names: Sequence[str], title: str, axis: str) -> Iterator[Plot]:
    """Mean steps one after the other, a bar for each target.

    Args:
        found: whose figures have `steps`.
        names: of the steps, at most as many as there are colours.
        title: of the plot.
        axis: what is along it.
    """
    rows = [(target, of["steps"]) for target, _, of in found if of["steps"]]
    if not rows:
        return
    with drawn(1.4 + 0.3 * len(rows)) as (drawing, axes):
        left = np.zeros(len(rows))
        for name, colour in zip(names, _COLOURS, strict=False):
            lengths = np.array([steps[name] for _, steps in rows])
            axes.barh(range(len(rows)), lengths, 0.7, left, color=colour, label=name, linewidth=0)
            left = left + lengths
        axes.set_yticks(range(len(rows)), [target for target, _ in rows])
        axes.set_xlabel(axis)
        legend_below(drawing)
        yield finished(drawing, "steps", title, "Means of all starts.")


def _plots(found: Phases, starts: Sequence[ColdStart]) -> Iterator[Plot]:
    yield from steps_plot(found)
    reached = [target for target, _, of in found if of["steps"]]
    if not reached:
        return
    with drawn(2.5) as (drawing, axes):
        for target in reached:
            ok = [one for one in starts if one.target == target and one.outcome == "ok"]
            x, y = [one.repeat + 1 for one in ok], np.array([one.png_s for one in ok], dtype=np.float64)
            axes.plot(x, y, "o-", markersize=3, color=TARGETS[target], label=target)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("repeat")
        axes.set_ylabel("first image stored, seconds")
        whole_ticks(axes.xaxis)
        legend_below(drawing)
        yield finished(drawing, "repeats", "Each start", "Seconds from the process's start, in order.")
