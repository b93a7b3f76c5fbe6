"""One task on one target as the page shows it: its times, and what they are made of, in milliseconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from results.documents import Target
from results.records import StoredRecord, latency_s, round_trip_s

MAX_ROWS: Final = 2000
"""Records read per target: the rest of a huge job is for `diptych results compare`."""

Row = dict[str, Any]


def row_of(stored: StoredRecord) -> Row:
    """Make a row of a record.

    `queue_ms` and `startup_ms` are what lies between the start of the publication and the handler; start-up
    is the part of it in which the instance that was to serve the task was still starting. `load_ms` to
    `store_ms` are the sums of the threads' work: encoding and storing go on beside generating, so that all
    four may add up to more than `process_ms`.
    """
    record = stored.record
    waited = record.received_at - record.publication_started_at
    startup = _startup(stored, waited) if record.cold_start else timedelta()
    return {
        "target": record.target,
        "task": record.task_index,
        "cold": record.cold_start,
        "round_trip_ms": _ms(round_trip_s(record, stored.created_at)),
        "process_ms": _ms(record.process_s),
        "latency_ms": _ms(latency_s(record, stored.created_at)),
        "queue_ms": _ms((waited - startup).total_seconds()),
        "startup_ms": _ms(startup.total_seconds()),
        "load_ms": _ms(record.model_load_s),
        "generate_ms": _ms(record.generate_s),
        "encode_ms": _ms(record.encode_s),
        "store_ms": _ms(record.store_s),
        "cpu_ms": _ms(record.cpu_user_s + record.cpu_system_s),
        "memory_mib": round(record.rss_peak_bytes / 2**20, 1),
        "images": record.image_count,
        "painted": record.images_painted,
        "found": record.images_found,
        "instance": record.instance_id,
    }


def damaged_row(target: Target, task: int, problem: str) -> Row:
    """The row of a task whose record cannot be read."""
    return {"target": target, "task": task, "problem": problem}


def _startup(stored: StoredRecord, waited: timedelta) -> timedelta:
    """How long the task waited for its instance to start; none if the instance was there before it."""
    record = stored.record
    if record.instance_started_at <= record.publication_started_at:
        return timedelta()
    return min(max(record.received_at - record.instance_started_at, timedelta()), waited)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
