"""The report of a scaling run, of two side by side, and its few lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from bench.runs.page import conditions, figures, page_html, plain_table
from bench.runs.read import StoredRun
from bench.scale import simulate
from bench.scale.plots import rates_plot, times_plot
from bench.scale.simulate import LABEL

_LEAD: Final = "Measured on this machine; what is called a simulation was measured nowhere."
_SIZES: Final = {
    "workers": "workers",
    "images_per_s": "images/s, median",
    "efficiency": "efficiency",
    "lowest": "lowest",
    "highest": "highest",
    "rounds": "rounds",
    "mean_response_s": "response, mean",
    "requests": "requests",
    "shed": "refused, failed",
}
_CHECK: Final = {
    "workers": "workers",
    "measured_images_per_s": "measured, images/s",
    "simulated_images_per_s": "simulated, a CPU each",
    "simulated_over_measured": "/ measured",
    "on_these_cores_images_per_s": "simulated, these cores shared",
    "on_these_cores_over_measured": "/ measured",
}
_SIMULATED: Final = {
    "images": "images",
    "tasks": "tasks",
    "time_s": "time",
    "on_paper_s": "on paper, at best",
    "images_per_s": "images/s",
    "instances": "instances",
    "cold_starts": "cold starts",
    "refused_429": "refused (429)",
    "billed_s": "billed",
    "cost_usd": "cost, USD",
}
_METHOD: Final = (
    "Each size is a fresh worker with so many worker processes, kept busy by as many users, each with one"
    " request at a time. Every process loads its model first, then comes the warm-up; neither is measured."
    " The sizes are run in rounds, in an order that the seed shuffles. images/s counts from a round's first"
    " measured request to its last answer; efficiency is images/s per worker, over that of the smallest"
    " size. A step from the best size so far to a larger one is a growth if the mean log ratio of the"
    " rounds, paired, is above 0 with 95% confidence (Student's t, one-sided). The load generator runs on"
    " the same cores. A round that did not come to its end is left out. On paper, a job takes a cold start,"
    " then its tasks, shared evenly by all instances; the simulation adds the slow start and the refusals."
)


def report_html(run: StoredRun) -> str:
    """One run as one file."""
    return page_html(str(run.results["title"]), " ".join((*_marks(run), _LEAD)), _sections(run))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs, below the heading that they share."""
    named = [*zip(names, runs, strict=True)]
    yield "<h2>Where it stops</h2>"
    for name, run in named:
        busy = [mark for mark in _marks(run) if mark not in run.marks]
        yield _growth(run, " ".join((f"{name}:", *busy, "")))
    yield _tables(named)
    yield f"<h2>Plots</h2>{figures(_plots(named))}" + _method()


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results["title"]), *_marks(run)]
    for one in run.results.get("measured") or []:
        spread = f"{one['lowest']:.1f}–{one['highest']:.1f}"
        of = f"{one['images_per_s']:.1f} images/s ({spread}), efficiency {one['efficiency']:.2f}"
        lines.append(f"measured   {one['workers']:3} workers: {of}; {one['shed']} refused or failed")
    lines += (run.results.get("growth") or {}).get("words") or ()
    for one in run.results.get("check") or []:
        ratios = (one["simulated_over_measured"], one["on_these_cores_over_measured"])
        own, shared = ("nothing measured" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        told = f"simulated / measured = {own}; with {one['cores']} cores shared {shared}"
        lines.append(f"check      {one['workers']:3} workers: {told}")
    for one in run.results.get("simulated") or []:
        time = f"{one['time_s'] / 60:,.1f} min (on paper {one['on_paper_s'] / 60:,.1f})"
        of = f"{time}, {one['instances']} instances, {one['refused_429']:,} refused"
        lines.append(f"SIMULATION {one['images']:>12,} images: {of}, ${one['cost_usd']:,.2f}")
    return lines


def _marks(run: StoredRun) -> list[str]:
    load, cores = run.environment["load_average"][0], run.environment["cores"] or 1
    busy = f"BUSY MACHINE: load average {load:g} on {cores} cores as this began; efficiency means little."
    return [*run.marks, *([busy] if load > cores / 2 else [])]


def _sections(run: StoredRun) -> Iterator[str]:
    named = [("", run)]
    yield "<h2>Where it stops</h2>" + _growth(run)
    yield _tables(named)
    yield f"<h2>Plots</h2>{figures(_plots(named))}"
    yield conditions(run) + _method()


def _growth(run: StoredRun, before: str = "") -> str:
    words = (run.results.get("growth") or {}).get("words") or ["Nothing was measured."]
    return f"<p>{escape(before + ' '.join(words))}</p>"


def _method() -> str:
    of_simulation = " ".join((simulate.__doc__ or "").split())
    return f"<h2>Method</h2><p>{escape(_METHOD)}</p><p>{escape(of_simulation)}</p>"


def _tables(named: Sequence[tuple[str, StoredRun]]) -> str:
    return "".join(
        (
            _table("measured", "Measured on this machine", _SIZES, named),
            _table("check", "The simulation at the measured sizes, images/s", _CHECK, named),
            _table("simulated", f"Jobs in a cloud: {LABEL}", _SIMULATED, named),
        )
    )


def _table(
    name: str, caption: str, columns: Mapping[str, str], named: Sequence[tuple[str, StoredRun]]
) -> str:
    of_runs = [(run_name, row) for run_name, run in named for row in run.results.get(name) or ()]
    if not of_runs:
        return ""
    several = len(named) > 1
    rows = [
        (*((run_name,) if several else ()), *(_cell(key, row.get(key)) for key in columns))
        for run_name, row in of_runs
    ]
    return plain_table(caption, (*(("",) if several else ()), *columns.values()), rows)


def _plots(named: Sequence[tuple[str, StoredRun]]) -> Iterator[Any]:
    measured = {name: run.results["measured"] for name, run in named if run.results.get("measured")}
    if measured:
        yield rates_plot(measured)
    simulated = {name: run.results["simulated"] for name, run in named if run.results.get("simulated")}
    if simulated:
        yield times_plot(simulated)


def _cell(name: str, value: Any) -> str:
    """A figure as people read it, by its name."""
    if value is None:
        return "–"
    if name.endswith("_s") and not name.endswith("_per_s"):
        return _duration(value)
    if name == "cost_usd":
        return f"{value:,.2f}"
    if isinstance(value, float):
        return (
            f"{value:.2f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
        )
    return f"{value:,}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
