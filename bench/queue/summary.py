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
        trips: in any order.
        slots: of each target; None: as many as were seen at work at the same time.
    """
    found: dict[str, Any] = {}
    for target in dict.fromkeys(one.target for one in timings):
        of_target = [one for one in timings if one.target == target]
        ok = [one for one in of_target if one.outcome == "ok"]
        used = slots or max(1, most_at_once(ok))
        waits = dict(zip(ok, waits_s(ok, used), strict=True))
        clock_set = any(one.phase == "clock set" for one in of_target)
        phases = {phase: [one for one in of_target if one.phase == phase] for phase in PHASES}
        found[target] = {
            "slots": used,
            "slots_known": slots is not None,
            **{
                phase: _summarise(of, waits, images_per_s=not clock_set) for phase, of in phases.items() if of
            },
        }
    return found


def quantities(timings: Sequence[TaskTiming], waits: Mapping[TaskTiming, float]) -> Values:
    """Values by name, of the tasks with a record; lag and submission are of all."""
    ok = [one for one in timings if one.outcome == "ok"]
    table = {name: np.array([_of(one)[name] for one in ok], dtype=np.float64) for name in _NAMES}
    wait = np.array([waits[one] for one in ok], dtype=np.float64)
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
    of_target = [one for one in timings if one.target == target]
    ok = [one for one in of_target if one.outcome == "ok"]
    waits = dict(zip(ok, waits_s(ok, slots), strict=True))
    return quantities([one for one in of_target if one.phase == "measured"], waits)


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
    return np.array([*{one.job: getattr(one, name) for one in timings}.values()], dtype=np.float64)


def _summarise(
    timings: Sequence[TaskTiming], waits: Mapping[TaskTiming, float], *, images_per_s: bool
) -> dict[str, Any]:
    """One phase of a target. There are no images/s where some of its images are apart, their time unknown."""
    values = quantities(timings, waits)
    clock_set = timings[0].phase == "clock set"
    why = lagged({"lag_s": values["lag_s"], "response_s": values["round_trip_s"]}, None)
    ok = [one for one in timings if one.outcome == "ok"]
    ended = [one for one in timings if one.outcome != "unfinished"]
    lost = len(ended) - len(ok)
    return {
        "jobs": len({one.job for one in timings}),
        "tasks": len(timings),
        "ok": len(ok),
        "outcomes": dict(Counter(one.outcome for one in timings)),
        "images": sum(one.images for one in ok),
        "redelivered": sum((one.attempt or 1) > 1 for one in ok),
        "error_rate": lost / len(ended) if ended else None,
        "error_rate_interval": wilson_interval(lost, len(ended)),
        "images_per_s": _images_per_s(ok) if images_per_s else None,
        "percentiles_refused": why,
        "quantities": {
            name: describe(of, percentiles=not why)
            for name, of in (of_durations(values) if clock_set else values).items()
            if len(of)
        },
    }


def _images_per_s(ok: Sequence[TaskTiming]) -> float | None:
    ends = [one.visible_s for one in ok if one.visible_s is not None]
    span_s = max(ends) - min(one.sent_s for one in ok) if ends else 0.0
    return sum(one.images for one in ok) / span_s if span_s > 0 else None
