"""One task's way through the queue, as the raw file keeps it. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bench.runs.rows import RawRow
from results.records import StoredRecord

Phase = Literal["cold", "warm-up", "measured", "clock set"]
Outcome = Literal["ok", "failed", "dead", "cancelled", "missing", "unfinished"]


@dataclass(frozen=True, slots=True)
class TaskTiming(RawRow):
    """One task on one target. Points in time count from the run's start.

    Args:
        job: number of the job.
        target: who generated.
        task: number of the task in its job.
        phase: cold: the first of its worker process; clock set: the wall clock was set while it was under
            way, so that its points in time contradict one another, and its durations alone are of use.
        outcome: ok: its record is visible; missing: nothing was heard of it before the run's end; unfinished:
            the run was broken off while it was under way, which is no error of anybody's.
        images: of the task.
        due_s: when the job was due.
        sent_s: when its submission began.
        lag_s: how much later than due that was: the generator's own delay, or its wait for the one before.
        submit_s: how long the submission took: manifest written, every task acknowledged by the broker.
        publication_s: when its publication began. This and the next four are None without a record.
        published_s: when the broker had it.
        received_s: when the worker had it.
        finished_s: when its last image was stored.
        visible_s: when its record was, by the store's clock.
        process_s: inside the worker, from its slot to the last image stored. Four of its parts follow;
            encode and store are sums over threads, and go on beside generate.
        model_load_s: the model's load, of a cold task.
        generate_s: generating.
        encode_s: PNG.
        store_s: writing images.
        instance: worker process.
        attempt: of the delivery; None if the queue does not count.
    """

    job: int
    target: str
    task: int
    phase: Phase
    outcome: Outcome
    images: int
    due_s: float
    sent_s: float
    lag_s: float
    submit_s: float
    publication_s: float | None = None
    published_s: float | None = None
    received_s: float | None = None
    finished_s: float | None = None
    visible_s: float | None = None
    process_s: float | None = None
    model_load_s: float | None = None
    generate_s: float | None = None
    encode_s: float | None = None
    store_s: float | None = None
    instance: str = ""
    attempt: int | None = None


def of_record(stored: StoredRecord, origin_s: float) -> dict[str, Any]:
    """The part of a task's timing that its record holds.

    Args:
        stored: the record.
        origin_s: the run's start, by the wall clock as it stands, Unix time.
    """
    record = stored.record

    def at(moment: datetime) -> float:
        return moment.timestamp() - origin_s

    return {
        "publication_s": at(record.publication_started_at),
        "published_s": at(record.published_at) if record.published_at else None,
        "received_s": at(record.received_at),
        "finished_s": at(record.finished_at),
        "visible_s": at(stored.created_at),
        "process_s": record.process_s,
        "model_load_s": record.model_load_s,
        "generate_s": record.generate_s,
        "encode_s": record.encode_s,
        "store_s": record.store_s,
        "instance": record.instance_id,
        "attempt": record.delivery_attempt,
    }
