"""The report of cold starts of deployed services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from bench.cloud.report import usage_table
from bench.cold.deployed_sample import READY_S, DeployedStart
from bench.cold.deployed_summary import PAIRED, STEPS, cold_ones, quantities, starts_of
from bench.cold.report import pairs_table, steps_bars
from bench.runs.page import conditions, figures, page_html, paragraph, plain_table
from bench.runs.plots import ecdf
from bench.runs.quantities import Phases, means_table, milliseconds, percentiles_table
from bench.runs.read import StoredRun
from results.report.plot_style import Plot

METHOD: Final = (
    "Nobody outside can make a service end an instance or start one. A repeat waits so long that the"
    " platform may have ended them all, then sends a burst of tasks of one image at once, each on a new"
    " connection, to either target, the order alternating, and one more after it, for a warm one beside."
    " Records tell who generated: cold is the first task of a process that was begun for it, ready the"
    f" first of one that had been there for more than {READY_S:.0f} s (min-instances, or started for"
    " another), warm any other. Only cold ones are measured; warm ones are those sent after a burst. A task"
    " of a burst that waited for an instance which another had made start is warm, and in neither. Response"
    " times are libcurl's. Until its process began: the platform's part, from sending to the process's start,"
    " by two clocks; start-up is from there to the handler, by the instance's own. Linux tells a process's"
    " start by a clock of whole seconds, so each is exact to a second; their sum does not depend on it."
    " Without load is the response without the model's load. A pair of a repeat is the mean log ratio of its"
    " cold starts; verdicts and intervals (95%) are those of `results compare`, from 20 on. Within a burst"
    " starts depend on one another: with more than one, intervals of means are too narrow. Which of the"
    " platform's machines has the image already, and so what is cold beside the process, nothing here tells."
)


def report_html(run: StoredRun) -> str:
    """One run as one file."""
    state = "".join(f" {mark}" for mark in run.marks)
    asked = run.configuration
    lead = (
        f"{run.path.name}: {asked['repeats']} bursts of {asked['burst']} at each target,"
        f" {asked['idle_s']:g} s between them, model {asked['model']}.{state}"
    )
    return page_html(str(run.results.get("title") or "Cold starts"), lead, _sections(run, starts_of(run)))


def found_of(run: StoredRun, name: str = "") -> Phases:
    """The figures for tables: cold starts as what was measured, warm ones beside."""
    return [
        (" ".join((target, name)).strip(), phase, of[phase])
        for target, of in (run.results.get("targets") or {}).items()
        for phase in ("measured", "warm")
    ]


def starts_table(named: Sequence[tuple[str, StoredRun]]) -> str:
    """What became of the requests."""
    rows = [
        (
            " ".join((target, name)).strip(),
            *(of["requests"], of["measured"]["starts"], of["instances"]),
            *(_counts(of["phases"]), _counts(of["errors"]) or "none"),
        )
        for name, run in named
        for target, of in (run.results.get("targets") or {}).items()
    ]
    head = ("", "requests", "cold starts", "instances", "in bursts", "errors")
    return plain_table("What became of them", head, rows, words=2)


def steps_table(found: Phases) -> str:
    """Where the mean response of cold starts goes."""
    rows = [
        (target, *(milliseconds(part) for part in (*of["steps"].values(), sum(of["steps"].values()))))
        for target, _, of in found
        if of.get("steps")
    ]
    return plain_table("The way to the answer, mean milliseconds", ("", *STEPS, "together"), rows)


def plots(found: Phases, series: Sequence[tuple[str, Sequence[DeployedStart]]]) -> Iterator[Plot]:
    """The steps, and the distribution of responses."""
    measured = [one for one in found if one[1] == "measured"]
    yield from steps_bars(
        measured, STEPS, "The way to the answer", "mean, seconds since the request was sent"
    )
    values = {name: quantities(starts)["response_s"] for name, starts in series if starts}
    if values:
        yield ecdf(values, "response", "cold starts", "From sending to the last byte, cold starts alone.")


def _sections(run: StoredRun, starts: Sequence[DeployedStart]) -> Iterator[str]:
    found = found_of(run)
    yield "<h2>Starts</h2>" + starts_table([("", run)]) + steps_table(found)
    yield pairs_table(run.results.get("paired") or {})
    yield means_table(found) + percentiles_table(found, PAIRED)
    targets = [*(run.results.get("targets") or {})]
    yield f"<h2>Plots</h2>{figures(plots(found, [(name, cold_ones(starts, name)) for name in targets]))}"
    yield usage_table(run.results.get("cloud") or {})
    yield conditions(run) + "<h2>Method</h2>" + paragraph(METHOD)


def _counts(of: dict[str, Any]) -> str:
    return ", ".join(f"{count} {name}" for name, count in of.items())
