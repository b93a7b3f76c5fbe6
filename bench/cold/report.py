"""The report of a cold run, and of two side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.cloud.report import usage_table
from bench.cold.sample import ColdStart
from bench.cold.summary import cold_starts, quantities, starts_of
from bench.cold.variants import LOCAL, Variant, variant_of
from bench.runs.page import conditions, figures, method_section, page_html, plain_table
from bench.runs.phases import Phases, counts_text, figure, named_phases, phases
from bench.runs.plots import ecdf, legend_below, whole_ticks
from bench.runs.quantities import means_table, milliseconds, percentiles_table, quantity_words
from bench.runs.read import StoredRun
from results.report.plot_style import COLD, STAGES, TARGETS, Plot, drawn, finished, stacked_bars

_COLOURS: Final = (*list(STAGES.values())[:1], COLD, *list(STAGES.values())[2:], TARGETS["celery"])
Named = Sequence[tuple[str, StoredRun]]
"""Runs by name; "" of one alone."""


def report_html(run: StoredRun) -> str:
    """One run as one file."""
    return page_html(str(run.results.get("title") or "Cold starts"), _lead(run), _sections(run))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side. Ratios are of pairs within one run: two runs decide nothing."""
    named, variant = [*zip(names, runs, strict=True)], variant_of(runs[0])
    found = named_phases(runs, names)
    yield _tables(named, found, variant)
    yield means_table(found) + percentiles_table(found, variant.paired)
    yield f"<h2>Plots</h2>{figures([*_steps_plot(found, variant), *_distribution(named, variant)])}"
    yield method_section(variant.method)


def _lead(run: StoredRun) -> str:
    asked, state = run.configuration, "".join(f" {mark}" for mark in run.marks)
    what = f"{asked.get('repeats')} starts of each target"
    if asked.get("cloud"):
        bursts = f"{asked['repeats']} bursts of {asked['burst']} at each target"
        what = f"{bursts}, {asked['idle_s']:g} s between them"
    return f"{run.path.name}: {what}, model {asked.get('model')}.{state}"


def _sections(run: StoredRun) -> Iterator[str]:
    variant, found = variant_of(run), [*phases(run)]
    yield "<h2>Starts</h2>" + _tables([("", run)], found, variant)
    yield _pairs_table(run.results.get("paired") or {})
    yield means_table(found) + percentiles_table(found, variant.paired)
    starts = starts_of(run)
    second = _each_start(starts) if variant is LOCAL else _distribution([("", run)], variant)
    yield f"<h2>Plots</h2>{figures([*_steps_plot(found, variant), *second])}"
    yield _imports(run.results.get("targets") or {}) + usage_table(run.results.get("cloud") or {})
    yield conditions(run) + method_section(variant.method)


def _tables(named: Named, found: Phases, variant: Variant) -> str:
    """What became of the starts, and the steps of those that came to an image."""
    counts = _starts_table(found) if variant is LOCAL else _requests_table(named)
    rows = [
        (target, *(milliseconds(part) for part in (*part["steps"].values(), sum(part["steps"].values()))))
        for target, _, part in found
        if part.get("steps")
    ]
    caption = f"{variant.steps_title}, mean milliseconds"
    return counts + plain_table(caption, ("", *variant.steps, "together"), rows)


def _starts_table(found: Phases) -> str:
    rows = [
        (target, part["starts"], part["ok"], counts_text(part["errors"]) or "none")
        for target, _, part in found
    ]
    return plain_table("What became of them", ("", "starts", "ok", "errors"), rows, words=1)


def _requests_table(named: Named) -> str:
    rows = [
        (
            " ".join((target, name)).strip(),
            *(part["requests"], part["measured"]["starts"], part["instances"]),
            *(_numbered(part["phases"]), _numbered(part["errors"]) or "none"),
        )
        for name, run in named
        for target, part in (run.results.get("targets") or {}).items()
    ]
    head = ("", "requests", "cold starts", "instances", "in bursts", "errors")
    return plain_table("What became of them", head, rows, words=2)


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _pairs_table(paired: Mapping[str, Any]) -> str:
    """The verdicts on pairs; "" without any."""
    if not paired:
        return ""
    rows = []
    for name in (key for key in paired if key not in ("ratio", "margin")):
        judged = paired[name]
        interval = " … ".join(f"{end:.3f}" for end in judged["interval"] or ()) or "–"
        needed = judged["pairs_needed"]
        verdict = judged["verdict"] + ("" if needed is None else f"; about {needed} pairs are needed")
        rows.append((quantity_words(name), judged["pairs"], f"{judged['ratio']:.3f}", interval, verdict))
    caption = f"{paired['ratio']}, pairs of one repeat; equal within {paired['margin']:.0%}"
    return plain_table(caption, ("", "pairs", "ratio", "95% interval", "verdict"), rows, words=1)


def _imports(targets: Mapping[str, Any]) -> str:
    rows = [
        (
            *(f"{target}, {when.replace('_', ' ')}", figure(part["seconds"]), part["modules"]),
            ", ".join(f"{package} {1000 * seconds:.0f} ms" for package, seconds in part["most"].items()),
        )
        for target, figures_of_target in targets.items()
        for when, part in (figures_of_target.get("imports") or {}).items()
    ]
    head = ("", "seconds", "modules", "most of it")
    table = plain_table("Imports of one profiled start", head, rows, words=1)
    return f"<h2>Imports</h2>{table}" if rows else ""


def _steps_plot(found: Phases, variant: Variant) -> Iterator[Plot]:
    """Mean steps one after the other, a bar for each target."""
    rows = [(target, part["steps"]) for target, _, part in found if part.get("steps")]
    if not rows:
        return
    with drawn(1.4 + 0.3 * len(rows)) as (drawing, axes):
        lengths = {name: np.array([steps[name] for _, steps in rows]) for name in variant.steps}
        stacked_bars(axes, lengths, _COLOURS)
        axes.set_yticks(range(len(rows)), [target for target, _ in rows])
        axes.set_xlabel(variant.steps_axis)
        legend_below(drawing)
        yield finished(drawing, "steps", variant.steps_title, "Means of all starts.")


def _distribution(named: Named, variant: Variant) -> Iterator[Plot]:
    column, quantity, unit, caption = variant.distribution
    series = {
        " ".join((target, name)).strip(): quantities(cold_starts(starts, target), variant)[column]
        for name, run in named
        for starts in (starts_of(run),)
        for target in run.results.get("targets") or {}
    }
    if any(map(np.size, series.values())):
        yield ecdf(series, quantity, unit, caption)


def _each_start(starts: Sequence[ColdStart]) -> Iterator[Plot]:
    ok = [start for start in starts if start.outcome == "ok"]
    if not ok:
        return
    with drawn(2.5) as (drawing, axes):
        for target in dict.fromkeys(start.target for start in ok):
            chosen = [start for start in ok if start.target == target]
            x, y = [start.repeat + 1 for start in chosen], [start.png_s or 0.0 for start in chosen]
            axes.plot(x, y, "o-", markersize=3, color=TARGETS[target], label=target)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("repeat")
        axes.set_ylabel("first image stored, seconds")
        whole_ticks(axes.xaxis)
        legend_below(drawing)
        yield finished(drawing, "repeats", "Each start", "Seconds from the process's start, in order.")
