"""Every process of the stack on Google's emulator is killed while a job runs; then everything is counted.

python -m benchmarks.delivery.pubsub_kills [--tasks 500] [--rounds 2] [--seed 1] [--json]

`benchmarks.delivery.redelivery` is its counterpart for what a queue does on its own: twins, redeliveries,
another order.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

from benchmarks.delivery.audit_counts import FaultReport, audit_counts
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.killer import Killer, plan_kills
from benchmarks.script import parser_of, run_script
from local.options import StackOptions, default_slots
from local.stack import running
from producer.submit import JobRequest
from results.documents import Manifest
from results.naming import duplicates_prefix
from results.stores.base import Store

VICTIMS: Final = ("container", "container image generator", "function", "function image generator", "pubsub")
LIMIT_S: Final = 1800.0
QUIET_S: Final = 10.0
"""The emulator does not say how much it holds. It sends again what failed after a second."""


def run_kills(request: JobRequest, rounds: int, seed: int, folder: Path) -> FaultReport:
    """Run a job under fire on a stack of its own.

    Args:
        request: the job.
        rounds: kills of each victim.
        seed: of the moments.
        folder: where the stack's `.diptych` goes.
    Raises:
        StackError: the stack did not start or gave up.
    """
    slots = default_slots()
    options = StackOptions(folder, "pubsub", container_slots=slots, function_slots=slots)
    with running(options) as stack:
        run = JobRun(stack, request)
        started = time.monotonic()
        manifest = run.submit()
        tasks = manifest.task_count * len(manifest.targets)
        killer = Killer(stack, plan_kills(VICTIMS * rounds, tasks, seed))
        state = run.follow(manifest, limit_s=LIMIT_S, poll_s=0.2, seen=killer.seen)
        wall_s = time.monotonic() - started
        _wait_until_quiet(run.store, manifest)
        return FaultReport(
            kills=tuple(f"{kill.victim} after {kill.after_tasks} tasks" for kill in killer.done),
            status=str(state.status),
            wall_s=round(wall_s, 1),
            audit_counts=audit_counts(run.store, manifest),
        )


def _wait_until_quiet(store: Store, manifest: Manifest) -> None:
    """Wait until no more work done twice comes in."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        found = sum(
            1 for target in manifest.targets for _ in store.list(duplicates_prefix(manifest.job_id, target))
        )
        if found != seen:
            seen, since = found, time.monotonic()
        time.sleep(0.5)


def main() -> None:
    """The command line; exit code 1 if anything was lost or doubled."""
    options = (
        ("--tasks", 500, "of each target"),
        ("--images-per-task", 4),
        ("--rounds", 2, "kills of each victim"),
        ("--seed", 1),
    )

    def measure(chosen: argparse.Namespace, folder: Path) -> FaultReport:
        request = JobRequest(
            model="faces-64",
            count=chosen.tasks * chosen.images_per_task,
            targets=("container", "function"),
            seed=chosen.seed,
            images_per_task=chosen.images_per_task,
            job_id="fire",
        )
        return run_kills(request, chosen.rounds, chosen.seed, folder)

    run_script(
        parser_of("Kill the emulator and both workers during a job.", options),
        measure,
        lambda report: "\n".join(report.lines()),
        sound=lambda report: report.sound,
    )


if __name__ == "__main__":
    main()
