"""The report of a queue run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from bench.cloud.report import usage_table
from bench.queue.deployed import clock_lines
from bench.queue.task_timing import TaskTiming
from bench.runs.page import conditions, figures, mapping_table, method_section, page_html, plain_table
from bench.runs.phases import Phases, by_target, counts_text, figure, phases, refusals, share
from bench.runs.plots import ecdf, legend_below
from bench.runs.quantities import means_table, percentiles_table
from bench.runs.read import StoredRun
from results.report.plot_style import COLD, STAGES, TARGETS, Plot, drawn, finished

_COUNTS: Final = ("jobs", "tasks", "ok", "images", "redelivered")
PERCENTILES_OF: Final = (
    *("round_trip_s", "latency_from_schedule_s", "queue_wait_s", "delivery_s", "process_s"),
)
_STAGES: Final = {
    "publish, queue and slot wait": ("publish_s", "queue_wait_s", "slot_wait_s"),
    "delivery": ("delivery_s",),
    "load": ("model_load_s",),
    "generate": ("generate_s",),
    "encode, store, commit": (),
}
METHOD: Final = (
    "round trip runs from the begin of a task's publication to its record's creation by the store's"
    " clock, latency from schedule from when its job was due. publish ends when the broker has the"
    " message. Of the time from there to the worker, queue wait is the part in which every slot of the"
    " target had another task in hand, according to the records, and delivery the rest. slot wait is what"
    " the worker itself let it wait for a slot, with the task in its hands. encode and store are"
    " sums over threads beside generate; commit runs from the last image to the record. Cold tasks,"
    " each the first of its worker process, are apart, and so are tasks that were under way when the wall"
    " clock was set. lag is the generator's own delay; percentiles"
    " are refused when it matters. Percentiles that the sample is too small for are left out. Intervals"
    " (95%) of percentiles are order statistics', those of means normal, from 30 on; both take tasks for"
    " independent, which tasks that wait for one another are not: one run decides nothing of targets."
)
_DEPLOYED: Final = (
    " Of what is deployed nobody knows the slots: it is taken for as many as were seen at work at once. So"
    " before that most was reached, waiting counts as delivery: instances that start are in it. The points"
    " in time are of four clocks, this machine's, Pub/Sub's, the instances' and the store's, and as good as"
    " their agreement; process and its parts are of one."
)


def method(run: StoredRun) -> str:
    """How it was measured."""
    return METHOD + (_DEPLOYED if run.configuration.get("cloud") else "")


def marks(run: StoredRun) -> list[str]:
    """What a reader must know before any figure, a sentence each."""
    targets = run.results.get("targets") or {}
    tasks = sum(part["clock set"]["tasks"] for part in targets.values() if "clock set" in part)
    subject = "1 task was" if tasks == 1 else f"{tasks:,} tasks were"
    apart = (
        f"{subject} under way when the wall clock was set, and apart, as clock set, with what needs no wall"
        " clock. A long one was more likely under way, so the others' times lean to short ones."
    )
    return [*run.marks, *([apart] if tasks else []), *clock_lines(run.results.get("clocks") or {})]


def report_html(run: StoredRun, timings: Sequence[TaskTiming]) -> str:
    """One run as one file."""
    asked = run.configuration
    state = "".join(f" {mark}" for mark in marks(run))
    lead = (
        f"{run.path.name}: {asked.get('jobs')} jobs of {asked.get('images')} images,"
        f" {asked.get('rate'):g} jobs/s, {asked.get('arrivals')}.{state}"
    )
    return page_html(str(run.results.get("title") or "Queue"), lead, _sections(run, timings))


def _sections(run: StoredRun, timings: Sequence[TaskTiming]) -> Iterator[str]:
    found = [*phases(run)]
    yield refusals(found) + "<h2>Tasks</h2>" + counts_table(found)
    yield means_table(found) + percentiles_table(found, PERCENTILES_OF)
    yield f"<h2>Plots</h2>{figures(_plots(run, timings))}"
    slots = {
        target: f"{part['slots']}{'' if part['slots_known'] else ' (the most seen at work at once)'}"
        for target, part in (run.results.get("targets") or {}).items()
    }
    yield mapping_table("Slots of each target", slots) + usage_table(run.results.get("cloud") or {})
    yield conditions(run) + method_section(method(run))


def counts_table(found: Phases) -> str:
    """What became of the tasks."""
    rows = [
        (
            *(f"{target} {phase}", *(f"{part[name]:,}" for name in _COUNTS)),
            *(share(part["error_rate"]), figure(part["images_per_s"]), counts_text(part["outcomes"])),
        )
        for target, phase, part in found
    ]
    head = ("", *_COUNTS, "error rate", "images/s", "outcomes")
    return plain_table("What became of them", head, rows)


def _plots(run: StoredRun, timings: Sequence[TaskTiming]) -> Iterator[Plot]:
    ok = [timing for timing in timings if timing.outcome == "ok" and timing.phase != "clock set"]
    if ok:
        yield _over_time(ok)
        yield from round_trips(by_target(ok, lambda timing: timing.target))
        yield from stages([*phases(run)])


def _over_time(ok: Sequence[TaskTiming]) -> Plot:
    with drawn(2.7) as (drawing, axes):
        for cold in (False, True):
            for target in dict.fromkeys(timing.target for timing in ok):
                chosen = [
                    timing for timing in ok if timing.target == target and (timing.phase == "cold") == cold
                ]
                if chosen:
                    x, y = [timing.sent_s for timing in chosen], [_round_trip(timing) for timing in chosen]
                    colour = COLD if cold else TARGETS[target]
                    label = f"{target}, cold" if cold else target
                    axes.plot(x, y, "x" if cold else ".", color=colour, markersize=4, label=label)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("submitted, seconds since the run's start")
        axes.set_ylabel("round trip, seconds")
        legend_below(drawing)
        return finished(drawing, "over-time", "Round trip over time", "A dot is one task.")


def round_trips(series: Mapping[str, Sequence[TaskTiming]]) -> Iterator[Plot]:
    """The distribution of round trips, by name of what is set side by side."""
    values = {
        name: [
            _round_trip(timing) for timing in timings if timing.outcome == "ok" and timing.phase == "measured"
        ]
        for name, timings in series.items()
    }
    if any(values.values()):
        caption = "Share of the measured tasks that took at most so long."
        yield ecdf(values, "round trip", "tasks", caption)


def stages(found: Phases) -> Iterator[Plot]:
    """Where the mean round trip goes."""
    named = [(f"{target} {phase}", part["quantities"]) for target, phase, part in found]
    rows = [(name, q) for name, q in named if "round_trip_s" in q]
    if not rows:
        return
    with drawn(1.3 + 0.3 * len(rows)) as (drawing, axes):
        left = np.zeros(len(rows))
        for (label, names), colour in zip(_STAGES.items(), STAGES.values(), strict=True):
            if names:
                lengths = np.array([sum(q[name]["mean"] for name in names) for _, q in rows])
            else:
                lengths = np.maximum(np.array([q["round_trip_s"]["mean"] for _, q in rows]) - left, 0.0)
            axes.barh(range(len(rows)), lengths, 0.7, left, color=colour, label=label, linewidth=0)
            left = left + lengths
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_xlabel("mean, seconds")
        legend_below(drawing)
        caption = "The mean round trip in its parts. The last is what is left of it."
        yield finished(drawing, "stages", "Where the time goes", caption)


def _round_trip(timing: TaskTiming) -> float:
    assert timing.visible_s is not None
    assert timing.publication_s is not None
    return timing.visible_s - timing.publication_s
