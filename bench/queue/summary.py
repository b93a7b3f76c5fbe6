"""The figures of a queue run: JSON, made of the raw rows, so that a partial run has them too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.load.summary import describe, lagged
from bench.queue.task_timing import TaskTiming
from bench.queue.waiting import most_at_once, waits_s
from bench.runs.read import StoredRun
from results.statistics.proportion import wilson_interval

PHASES: Final = ("measured", "warm-up", "cold", "clock set")
Values = Mapping[str, NDArray[np.float64]]


def timings_of(run: StoredRun) -> list[TaskTiming]:
    """All tasks of a queue run.

    Raises:
        BenchError: it is no queue run.
    """
    return run.read_rows("queue", TaskTiming.read)


def analyse(timings: Sequence[TaskTiming], slots: int | None) -> dict[str, Any]:
    """The figures by target and phase.

    Args:
        timings: in any order.
        slots: of each target; None: as many as were seen at work at the same time.
    """
    figures: dict[str, Any] = {}
    for target in dict.fromkeys(timing.target for timing in timings):
        of_target = [timing for timing in timings if timing.target == target]
        ok = [timing for timing in of_target if timing.outcome == "ok"]
        used = slots or max(1, most_at_once(ok))
        waits = dict(zip(ok, waits_s(ok, used), strict=True))
        clock_set = any(timing.phase == "clock set" for timing in of_target)
        phases = {phase: [timing for timing in of_target if timing.phase == phase] for phase in PHASES}
        figures[target] = {
            "slots": used,
            "slots_known": slots is not None,
            **{
                phase: _summarise(part, waits, images_per_s=not clock_set)
                for phase, part in phases.items()
                if part
            },
        }
    return figures


def quantities(timings: Sequence[TaskTiming], waits: Mapping[TaskTiming, float]) -> Values:
    """Values by name, of the tasks with a record; lag and submission are of all."""
    ok = [timing for timing in timings if timing.outcome == "ok"]
    table = {name: np.array([_of(timing)[name] for timing in ok], dtype=np.float64) for name in _NAMES}
    wait = np.array([waits[timing] for timing in ok], dtype=np.float64)
    begin = np.where(np.isnan(table["published"]), table["publication"], table["published"])
    visible, received = table["visible"], table["received"]
    return {
        "round_trip_s": visible - table["publication"],
        "latency_from_schedule_s": visible - table["due"],
        "publish_s": begin - table["publication"],
        "queue_wait_s": wait,
        "delivery_s": np.maximum(received - begin - wait, 0.0),
        "slot_wait_s": np.maximum(table["finished"] - received - table["process"], 0.0),
        "process_s": table["process"],
        "model_load_s": table["model_load"],
        "generate_s": table["generate"],
        "encode_s": table["encode"],
        "store_s": table["store"],
        "commit_s": visible - table["finished"],
        "submit_s": _of_jobs(timings, "submit_s"),
        "lag_s": _of_jobs(timings, "lag_s"),
    }


def of_durations(values: Values) -> Values:
    """Those that no wall clock is in: what is left of a task that was under way when it was set."""
    return {name: values[name] for name in _DURATIONS}


def measured_quantities(timings: Sequence[TaskTiming], target: str, slots: int) -> Values:
    """Those of a target's measured tasks."""
    of_target = [timing for timing in timings if timing.target == target]
    ok = [timing for timing in of_target if timing.outcome == "ok"]
    waits = dict(zip(ok, waits_s(ok, slots), strict=True))
    return quantities([timing for timing in of_target if timing.phase == "measured"], waits)


_NAMES: Final = (
    *("publication", "published", "received", "finished", "visible", "due"),
    *("process", "model_load", "generate", "encode", "store"),
)
_DURATIONS: Final = (
    *("process_s", "model_load_s", "generate_s", "encode_s", "store_s", "submit_s", "lag_s"),
)


def _of(timing: TaskTiming) -> dict[str, float | None]:
    return {name: getattr(timing, f"{name}_s") for name in _NAMES}


def _of_jobs(timings: Sequence[TaskTiming], name: str) -> NDArray[np.float64]:
    """A value that a job's tasks have in common, once for each job."""
    return np.array([*{timing.job: getattr(timing, name) for timing in timings}.values()], dtype=np.float64)


def _summarise(
    timings: Sequence[TaskTiming], waits: Mapping[TaskTiming, float], *, images_per_s: bool
) -> dict[str, Any]:
    """One phase of a target. There are no images/s where some of its images are apart, their time unknown."""
    values = quantities(timings, waits)
    clock_set = timings[0].phase == "clock set"
    why = lagged({"lag_s": values["lag_s"], "response_s": values["round_trip_s"]}, None)
    ok = [timing for timing in timings if timing.outcome == "ok"]
    ended = [timing for timing in timings if timing.outcome != "unfinished"]
    lost = len(ended) - len(ok)
    return {
        "jobs": len({timing.job for timing in timings}),
        "tasks": len(timings),
        "ok": len(ok),
        "outcomes": dict(Counter(timing.outcome for timing in timings)),
        "images": sum(timing.images for timing in ok),
        "redelivered": sum((timing.attempt or 1) > 1 for timing in ok),
        "error_rate": lost / len(ended) if ended else None,
        "error_rate_interval": wilson_interval(lost, len(ended)),
        "images_per_s": _images_per_s(ok) if images_per_s else None,
        "percentiles_refused": why,
        "quantities": {
            name: describe(column, percentiles=not why)
            for name, column in (of_durations(values) if clock_set else values).items()
            if len(column)
        },
    }


def _images_per_s(ok: Sequence[TaskTiming]) -> float | None:
    ends = [timing.visible_s for timing in ok if timing.visible_s is not None]
    span_s = max(ends) - min(timing.sent_s for timing in ok) if ends else 0.0
    return sum(timing.images for timing in ok) / span_s if span_s > 0 else None
