"""One task on one target as the page shows it: its metrics, and how it ran."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from results.comparison import metrics
from results.records import StoredRecord, is_cold
from results.targets import Target

MAX_ROWS: Final = 2000
"""Records read per target: the rest of a huge job is for `diptych results compare`."""
DECIMALS: Final = 5
Row = dict[str, Any]


def row_of(stored: StoredRecord) -> Row:
    """Make a row of a record.

    `values` has every metric by its name, None where the record has no such value. `startup_s` is the part of
    the queue in which the instance that was to serve the task was still starting.
    """
    record = stored.record
    cold = is_cold(record)
    return {
        "target": record.target,
        "task": record.task_index,
        "cold": cold,
        "values": {metric.name: _rounded(metric.of(stored)) for metric in metrics.METRICS},
        "startup_s": _rounded(_startup(stored).total_seconds()) if cold else 0.0,
        "images": record.image_count,
        "generated": record.images_painted,
        "found": record.images_found,
        "instance": record.instance_id,
    }


def damaged_row(target: Target, task: int, problem: str) -> Row:
    """The row of a task whose record cannot be read."""
    return {"target": target, "task": task, "problem": problem}


def _startup(stored: StoredRecord) -> timedelta:
    """How long the task waited for its instance to start; none if the instance was there before it."""
    record = stored.record
    if record.instance_started_at <= record.publication_started_at:
        return timedelta()
    waited = record.received_at - record.publication_started_at
    return min(max(record.received_at - record.instance_started_at, timedelta()), waited)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
