"""The way through Google's Pub/Sub emulator to both workers: how much gets through, and how long it takes.

python -m benchmarks.delivery.pubsub_path [--tasks 400] [--probes 200] [--load 0.7] [--json]

Throughput: a job of a model that costs nothing, for the path itself, and one of faces-64. Latency is from the
emulator's own publish time to the entry into the handler, on one clock: of single tasks on idle workers, one
after the other, and of tasks that arrive at random at a share of the throughput of faces-64.

A busy container takes a push in and has it wait for a slot inside; a busy function, with one thread,
leaves it outside. So the function's latency holds that wait, and the container's does not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.tiny_model import write_tiny_model
from benchmarks.script import parser_of, run_script
from local.errors import StackError
from local.options import StackOptions, default_slots
from local.stack import Stack, running
from model.registry import Registry
from pipeline.config.settings import load_settings
from producer.open_publisher import open_publisher
from producer.submit import JobRequest, draft_job, submit
from results.documents import Manifest
from results.job_state import JobState, JobStatus
from results.record import Record
from results.records import iter_records
from results.stores.base import Store
from results.targets import PUSHED_TARGETS, Target

MODEL: Final = "faces-64"
LIMIT_S: Final = 900.0
WARM_UP_TASKS: Final = 8
POLL_S: Final = 0.5
"""Each look lists the store, on the cores that generate."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """One job, from its first message to its last record.

    Args:
        model: what was generated.
        tasks: of each target.
        images_per_task: images in each.
        wall_s: from the start of the publication to the end of the last task.
        tasks_per_s: of both targets together.
        images_per_s: likewise.
        target_tasks_per_s: of each alone, from its first arrival to its last end.
    """

    model: str
    tasks: int
    images_per_task: int
    wall_s: float
    tasks_per_s: float
    images_per_s: float
    target_tasks_per_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Latency:
    """From the emulator's publish time to the entry into the handler, in milliseconds.

    Args:
        workers: "idle" or "busy".
        target: who received.
        tasks: how many.
        arrivals_per_s: of tasks, as they were published; 0: each after the end of the one before.
        p50_ms: median.
        p99_ms: of fewer than 100 tasks it is the slowest one.
        most_ms: slowest.
    """

    workers: str
    target: str
    tasks: int
    arrivals_per_s: float
    p50_ms: float
    p99_ms: float
    most_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured, with `slots` generation slots of each target."""

    slots: int
    throughput: list[Throughput]
    latency: list[Latency]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Args:
        tasks: of each throughput job and target.
        images_per_task: of faces-64; the model that costs nothing generates one.
        probes: tasks of each latency measurement.
        load: share of the throughput at which busy workers get tasks.
        seed: of the pauses between them.
    """

    tasks: int
    images_per_task: int
    probes: int
    load: float
    seed: int = 1


def measure(plan: Plan, folder: Path) -> Report:
    """Measure on a stack of its own.

    Args:
        plan: what.
        folder: where the stack's `.diptych` and a model go.
    Raises:
        StackError: the stack did not start, or a job did not succeed.
    """
    models = folder / "models"
    tiny = write_tiny_model(models)
    slots = default_slots()
    environment = {"DIPTYCH_MODEL_DIR": str(models), "DIPTYCH_LOG_LEVEL": "WARNING"}
    options = StackOptions(
        folder, "pubsub", container_slots=slots, function_slots=slots, environment=environment
    )
    with running(options) as stack:
        for model in (tiny, MODEL):
            _throughput(stack, models, model, WARM_UP_TASKS, 1)
        free = _throughput(stack, models, tiny, plan.tasks, 1)
        generated = _throughput(stack, models, MODEL, plan.tasks, plan.images_per_task)
        # A task is for both targets: it is one arrival at each.
        rate = plan.load * generated.tasks_per_s / len(PUSHED_TARGETS)
        idle = _probes(stack, models, tiny, 1, plan.probes, None)
        busy = _probes(stack, models, MODEL, plan.images_per_task, plan.probes, Arrivals(rate, plan.seed))
        return Report(slots, [free, generated], [*idle, *busy])


def _throughput(stack: Stack, models: Path, model: str, tasks: int, images_per_task: int) -> Throughput:
    request = JobRequest(model, tasks * images_per_task, PUSHED_TARGETS, images_per_task=images_per_task)
    run = JobRun(stack, request, models)
    manifest = run.submit()
    _succeeded(run.follow(manifest, limit_s=LIMIT_S, poll_s=POLL_S))
    records = {target: _records(run.store, manifest, target) for target in PUSHED_TARGETS}
    every = [record for part in records.values() for record in part]
    wall_s = (
        max(record.finished_at for record in every) - min(record.publication_started_at for record in every)
    ).total_seconds()
    return Throughput(
        model=model,
        tasks=tasks,
        images_per_task=images_per_task,
        wall_s=round(wall_s, 2),
        tasks_per_s=round(len(every) / wall_s, 1),
        images_per_s=round(len(every) * images_per_task / wall_s, 1),
        target_tasks_per_s={target: _own_rate(part) for target, part in records.items()},
    )


def _own_rate(records: Sequence[Record]) -> float:
    first = min(record.received_at for record in records)
    last = max(record.finished_at for record in records)
    return round(len(records) / (last - first).total_seconds(), 1)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Tasks that arrive whenever they like, `rate` of them per second on average."""

    rate: float
    seed: int

    def times(self) -> Iterator[float]:
        """Seconds from the start, growing."""
        random, at = Random(self.seed), 0.0
        while True:
            at += random.expovariate(self.rate)
            yield at


def _probes(
    stack: Stack, models: Path, model: str, images: int, count: int, arrivals: Arrivals | None
) -> list[Latency]:
    """Publish `count` jobs of one task each: as they arrive, or each after the end of the one before."""
    settings = load_settings(
        store_url=stack.store_url, broker_url=stack.addresses.broker_url, model_dir=models
    )
    request = JobRequest(model, images, PUSHED_TARGETS, images_per_task=images)
    run = JobRun(stack, request, models)
    registry = Registry(settings.model_dir)
    manifests: list[Manifest] = []
    times = arrivals.times() if arrivals else iter(())
    with closing(open_publisher(settings)) as publisher:
        started = time.monotonic()
        for _ in range(count):
            time.sleep(max(0.0, started + next(times, 0.0) - time.monotonic()))
            manifests.append(submit(run.store, publisher, draft_job(request, registry)).manifest)
            if arrivals is None:
                _succeeded(run.follow(manifests[-1], limit_s=LIMIT_S, poll_s=0.05))
        published_s = time.monotonic() - started
    for manifest in manifests:
        _succeeded(run.follow(manifest, limit_s=LIMIT_S, poll_s=POLL_S))
    rate = round(count / published_s, 2) if arrivals else 0.0
    found = {
        target: [_records(run.store, manifest, target)[0] for manifest in manifests]
        for target in PUSHED_TARGETS
    }
    return [
        _latency("busy" if arrivals else "idle", target, rate, records) for target, records in found.items()
    ]


def _latency(workers: str, target: str, rate: float, records: Sequence[Record]) -> Latency:
    taken = sorted(
        1000 * (record.received_at - record.published_at).total_seconds()
        for record in records
        if record.published_at is not None
    )
    middle, high = np.quantile(taken, 0.5), np.quantile(taken, 0.99, method="higher")
    return Latency(
        workers, target, len(taken), rate, round(float(middle), 1), round(float(high), 1), round(taken[-1], 1)
    )


def _records(store: Store, manifest: Manifest, target: Target) -> list[Record]:
    return [stored.record for stored in iter_records(store, manifest.job_id, target)]


def _succeeded(state: JobState) -> None:
    if state.status is not JobStatus.SUCCEEDED:
        raise StackError(f"job {state.manifest.job_id} ended {state.status}")


def text(report: Report) -> str:
    """The report, in lines."""
    lines = [f"{report.slots} generation slot(s) of each target"]
    for job in report.throughput:
        each = ", ".join(f"{target} {rate:g}" for target, rate in job.target_tasks_per_s.items())
        lines.append(
            f"{job.model}: {job.tasks} tasks of {job.images_per_task} for each target in {job.wall_s:g} s:"
            f" {job.tasks_per_s:g} tasks/s, {job.images_per_s:g} images/s together (tasks/s alone: {each})"
        )
    for got in report.latency:
        how = f"{got.arrivals_per_s:g} arrivals/s" if got.arrivals_per_s else "one at a time"
        lines.append(
            f"publish -> handler, {got.workers} {got.target}: p50 {got.p50_ms:g} ms, p99 {got.p99_ms:g} ms,"
            f" slowest {got.most_ms:g} ms ({got.tasks} tasks, {how})"
        )
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    options = (
        ("--tasks", 400, "of each throughput job and target"),
        ("--images-per-task", 16),
        ("--probes", 200, "tasks of each latency measurement"),
        ("--load", 0.7, "of busy workers, a share of their throughput"),
    )
    parser = parser_of("Measure the way through the Pub/Sub emulator to both workers.", options)

    def measured(chosen: argparse.Namespace, folder: Path) -> Report:
        if min(chosen.tasks, chosen.images_per_task, chosen.probes) < 1 or not 0 < chosen.load < 1:
            parser.error("--tasks, --images-per-task and --probes must be at least 1, --load between 0 and 1")
        return measure(Plan(chosen.tasks, chosen.images_per_task, chosen.probes, chosen.load), folder)

    run_script(parser, measured, text)


if __name__ == "__main__":
    main()
