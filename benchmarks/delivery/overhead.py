"""What the queue costs: many tasks of one tiny image each, through Valkey and Celery to the container.

python -m benchmarks.delivery.overhead [--tasks 1000] [--slots 1] [--json]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.tiny_model import write_tiny_model
from benchmarks.script import parser_of, run_script
from local.errors import StackError
from local.options import StackOptions
from local.stack import running
from producer.submit import JobRequest
from results.job_state import JobState, JobStatus
from results.records import StoredRecord, iter_records, latency_s
from results.stores.base import Store

LIMIT_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Overhead:
    """What was measured.

    Args:
        tasks: of one image each.
        slots: tasks at once.
        wall_s: from the start of the publication to the store's creation time of the last record.
        publish_s: from the start of the publication to the broker's acknowledgement of the last chunk.
        tasks_per_s: tasks / wall_s.
        process_s: time inside process_task, summed over all tasks.
        outside_share: share of the slots' wall time spent outside process_task.
        outside_ms_per_task: the same per task, in milliseconds of a slot.
        latency_ms_at_end: latency of the median task among the last tenth: its wait behind all others.
    """

    tasks: int
    slots: int
    wall_s: float
    publish_s: float
    tasks_per_s: float
    process_s: float
    outside_share: float
    outside_ms_per_task: float
    latency_ms_at_end: float


def measure(tasks: int, slots: int, folder: Path) -> Overhead:
    """Run the job on a stack of its own.

    Args:
        tasks: how many.
        slots: generation slots of the container.
        folder: where the stack's `.diptych` and the model go.
    Raises:
        StackError: the stack did not start, or a task is missing at the end.
    """
    models = folder / "models"
    model = write_tiny_model(models)
    environment = {"DIPTYCH_MODEL_DIR": str(models), "DIPTYCH_LOG_LEVEL": "WARNING"}
    options = StackOptions(folder, container_slots=slots, environment=environment)
    request = JobRequest(model=model, count=tasks, targets=("container",), seed=1, images_per_task=1)
    with running(options) as stack:
        run = JobRun(stack, request, models)
        state = run.follow(run.submit(), limit_s=LIMIT_S)
    if state.status is not JobStatus.SUCCEEDED:
        raise StackError(f"the job ended {state.status}")
    return _summary(run.store, state, slots)


def _summary(store: Store, state: JobState, slots: int) -> Overhead:
    records = [*iter_records(store, state.manifest.job_id, "container")]
    started_at = records[0].record.publication_started_at
    assert state.published_at is not None
    wall_s = (max(stored.created_at for stored in records) - started_at).total_seconds()
    process_s = sum(stored.record.process_s for stored in records)
    outside_s = slots * wall_s - process_s
    return Overhead(
        tasks=len(records),
        slots=slots,
        wall_s=round(wall_s, 3),
        publish_s=round((state.published_at - started_at).total_seconds(), 3),
        tasks_per_s=round(len(records) / wall_s, 1),
        process_s=round(process_s, 3),
        outside_share=round(outside_s / (slots * wall_s), 3),
        outside_ms_per_task=round(1000 * outside_s / len(records), 2),
        latency_ms_at_end=round(1000 * _last_latency_s(records), 1),
    )


def _last_latency_s(records: list[StoredRecord]) -> float:
    by_time = sorted(records, key=lambda stored: stored.created_at)
    last = by_time[-max(1, len(by_time) // 10) :]
    return median(latency_s(stored.record, stored.created_at) for stored in last)


def main() -> None:
    """The command line."""
    options = (("--tasks", 1000), ("--slots", 1))
    parser = parser_of("Measure what the queue costs.", options)
    run_script(parser, lambda chosen, folder: measure(chosen.tasks, chosen.slots, folder), _text)


def _text(found: Overhead) -> str:
    return (
        f"{found.tasks:,} tasks of one image, {found.slots} slots: {found.tasks_per_s:g} tasks/s\n"
        f"wall time {found.wall_s:g} s, of it publishing {found.publish_s:g} s"
        " (at the same time as delivery)\n"
        f"outside process_task: {found.outside_share:.0%} of the slots' wall time,"
        f" {found.outside_ms_per_task:g} ms per task"
    )


if __name__ == "__main__":
    main()
