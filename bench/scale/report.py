"""The report of a scaling run, and of two side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from bench.runs.page import conditions, figures, method_section, page_html, plain_table
from bench.runs.read import StoredRun
from bench.scale import simulate
from bench.scale.plots import rates_plot, times_plot
from bench.scale.simulate import LABEL
from bench.scale.text import marks

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
    return page_html(str(run.results["title"]), " ".join((*marks(run), _LEAD)), _sections(run))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs, below the heading that they share."""
    named = [*zip(names, runs, strict=True)]
    yield "<h2>Where it stops</h2>"
    for name, run in named:
        busy = [mark for mark in marks(run) if mark not in run.marks]
        yield _growth(run, " ".join((f"{name}:", *busy, "")))
    yield _tables(named)
    yield f"<h2>Plots</h2>{figures(_plots(named))}" + _method()


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
    return method_section(_METHOD, " ".join((simulate.__doc__ or "").split()))


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
    named_rows = [(run_name, row) for run_name, run in named for row in run.results.get(name) or ()]
    if not named_rows:
        return ""
    several = len(named) > 1
    rows = [
        (*((run_name,) if several else ()), *(_cell(key, row.get(key)) for key in columns))
        for run_name, row in named_rows
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
