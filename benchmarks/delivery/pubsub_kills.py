"""Every process of the stack on Google's emulator is killed while a job runs; then everything is counted.

python -m benchmarks.delivery.pubsub_kills [--tasks 500] [--rounds 2] [--seed 1] [--json]

`benchmarks.delivery.redelivery` is its counterpart for what a queue does on its own: twins, redeliveries,
another order.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.delivery.audit_counts import AuditCounts, audit_counts
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.killer import Killer, plan_kills
from local.errors import StackError
from local.options import StackOptions, default_slots
from local.stack import running
from pipeline.errors import PipelineError
from producer.submit import JobRequest
from results.documents import Manifest
from results.errors import ResultsError
from results.naming import duplicates_prefix
from results.stores.base import Store

VICTIMS: Final = ("container", "container image generator", "function", "function image generator", "pubsub")
LIMIT_S: Final = 1800.0
QUIET_S: Final = 10.0
"""The emulator does not say how much it holds. It sends again what failed after a second."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Args:
        kills: who was killed, and after how many recorded tasks.
        status: the job's.
        wall_s: from submission to the end.
        tally: what was counted in the store.
    """

    kills: list[str]
    status: str
    wall_s: float
    audit_counts: AuditCounts

    @property
    def sound(self) -> bool:
        """True if nothing was lost or doubled."""
        return self.status == "succeeded" and self.audit_counts.lost == self.audit_counts.doubled == 0


def run_kills(request: JobRequest, rounds: int, seed: int, folder: Path) -> Report:
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
        return Report(
            kills=[f"{kill.victim} after {kill.after_tasks} tasks" for kill in killer.done],
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
    parser = argparse.ArgumentParser(
        description="Kill the emulator and both workers during a job.",
    )
    parser.add_argument("--tasks", type=int, default=500, help="of each target")
    parser.add_argument("--images-per-task", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2, help="kills of each victim")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    request = JobRequest(
        model="faces-64",
        count=chosen.tasks * chosen.images_per_task,
        targets=("container", "function"),
        seed=chosen.seed,
        images_per_task=chosen.images_per_task,
        job_id="fire",
    )
    try:
        with tempfile.TemporaryDirectory(prefix="diptych-kills-") as folder:
            report = run_kills(request, chosen.rounds, chosen.seed, Path(folder))
    except (StackError, PipelineError, ResultsError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(asdict(report)) if chosen.json else _text(report))
    sys.exit(0 if report.sound else 1)


def _text(report: Report) -> str:
    found = report.audit_counts
    return "\n".join(
        [
            *(f"killed: {kill}" for kill in report.kills),
            f"job {report.status} after {report.wall_s:g} s: {found.tasks} tasks on both targets together",
            f"lost {found.lost}, doubled {found.doubled}",
            f"work done twice: {found.duplicates} deliveries, {found.duplicate_images} images,"
            f" {found.duplicate_cpu_s:g} CPU seconds beside the {found.cpu_s:g} that count;"
            f" {found.found_images} images of killed or cut-off deliveries were found and kept",
        ]
    )


if __name__ == "__main__":
    main()
