"""Plots of one job in time: what each task went through, and when which instance was at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.comparison.columns import JobColumns, TargetColumns
from results.report.plot_style import COLD, STAGES, TARGETS, Plot, drawn, finished, spaced, stacked_bars

TASKS: Final = 24
"""Rows of a waterfall."""
BARS: Final = 400
"""Bars of a timeline, per target, beside those of cold tasks."""
COLD_BARS: Final = 100
_LONG_QUEUE: Final = 4.0
"""Times the process time."""
LANES: Final = 40
"""Instances of a timeline, per target."""


def waterfall_plots(job: JobColumns) -> Iterator[Plot]:
    """The stages of some of a job's tasks, one row each, from the publication to the record."""
    for target, columns in job.targets.items():
        if len(columns.task):
            yield _waterfall(job, columns, f"waterfall-{target}")


def timeline_plot(job: JobColumns) -> Iterator[Plot]:
    """When each instance was at work; cold tasks stand out."""
    if any(len(columns.task) for columns in job.targets.values()):
        yield _timeline(job)


def stage_lengths(columns: TargetColumns) -> dict[str, NDArray[np.float64]]:
    """How long each task was in each stage, one after the other: float64 [n] each, none below zero.

    Encoding and storing go on beside generation, in other threads: their part is what is left of the
    process time, not the sum over their threads.
    """
    load, generate = columns.of("model_load_s"), columns.of("generate_s")
    stages = {
        "queue": columns.of("queue_s"),
        "load": load,
        "generate": generate,
        "encode, store": columns.of("process_s") - load - generate,
        "commit": columns.of("commit_s"),
    }
    return {name: np.maximum(values, 0.0) for name, values in stages.items()}


def _waterfall(job: JobColumns, columns: TargetColumns, name: str) -> Plot:
    rows = spaced(len(columns.task), TASKS)
    stages = {stage: values[rows] for stage, values in stage_lengths(columns).items()}
    labels = [
        f"{task} cold" if cold else str(task)
        for task, cold in zip(columns.task[rows], columns.cold[rows], strict=True)
    ]
    begin, said = "the publication began", ""
    queue = stages["queue"]
    if np.median(queue) > _LONG_QUEUE * np.median(columns.of("process_s")):
        # Drawn to scale, the wait would leave nothing to see of the work.
        labels = [f"{label}, after {wait_s:.0f} s" for label, wait_s in zip(labels, queue, strict=True)]
        begin, said = "the task arrived", " Beside each, how long it had waited in the queue."
        del stages["queue"]
    with drawn(1.0 + 0.15 * len(rows)) as (figure, axes):
        stacked_bars(axes, stages, [STAGES[stage] for stage in stages])
        axes.set_yticks(range(len(rows)), labels, fontsize=7)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.set_ylabel("task")
        axes.set_xlabel(f"seconds since {begin}")
        figure.legend(loc="outside upper center", ncols=len(stages), fontsize=7.5, columnspacing=1)
        caption = f"{_how_many(len(rows), len(columns.task))} of job {job.manifest.job_id}, in order.{said}"
        return finished(figure, name, f"Where the time goes: {columns.target}", caption)


def _timeline(job: JobColumns) -> Plot:
    begin_s = np.nanmin([columns.first_published_s for columns in job.targets.values()])
    lanes: list[str] = []
    shown = total = 0
    heights = [min(len(columns.instances), LANES) for columns in job.targets.values()]
    with drawn(0.9 + 0.24 * sum(heights)) as (figure, axes):
        for columns in job.targets.values():
            rows = _timeline_rows(columns)
            start = columns.published_s[rows] + columns.of("queue_s")[rows] - begin_s
            length, cold = columns.of("process_s")[rows], columns.cold[rows]
            lane = columns.instance[rows] + len(lanes)
            for which, colour in ((~cold, TARGETS[columns.target]), (cold, COLD)):
                axes.barh(
                    lane[which], length[which], 0.7, start[which], color=colour, alpha=0.75, linewidth=0
                )
            axes.plot(start[cold], lane[cold], "D", color=COLD, markersize=4)
            lanes += [
                f"{columns.target} {number + 1}" for number in range(min(len(columns.instances), LANES))
            ]
            shown, total = shown + len(rows), total + len(columns.task)
        axes.set_yticks(range(len(lanes)), lanes, fontsize=7.5)
        axes.set_ylim(len(lanes) - 0.4, -0.6)
        axes.set_xlim(left=min(0.0, float(axes.get_xlim()[0])))
        axes.grid(False, axis="y")
        axes.set_xlabel("seconds since the first publication began")
        caption = (
            f"{_how_many(shown, total)} of job {job.manifest.job_id}; a row is an instance, a bar the process"
            " time of a task. A diamond marks a cold one."
        )
        return finished(figure, "timeline", "Instances at work", caption)


def _timeline_rows(columns: TargetColumns) -> NDArray[np.int64]:
    """Rows to draw: all cold tasks, and as many others as can be told apart."""
    known = columns.instance < LANES
    cold, warm = np.flatnonzero(columns.cold & known), np.flatnonzero(~columns.cold & known)
    chosen = [cold[spaced(len(cold), COLD_BARS)], warm[spaced(len(warm), BARS)]]
    return np.sort(np.concatenate(chosen))


def _how_many(shown: int, total: int) -> str:
    return f"All {total:,} tasks" if shown == total else f"{shown:,} of the {total:,} tasks, evenly chosen,"
