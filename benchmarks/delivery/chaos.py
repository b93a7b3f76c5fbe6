"""Delivery under failure: every process of the stack is killed while a job runs; then everything is counted.

python -m benchmarks.delivery.chaos [--tasks 200] [--images-per-task 16] [--rounds 2] [--seed 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.delivery.audit_counts import AuditCounts, audit_counts, image_hashes
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.killer import VICTIMS, Killer, plan_kills
from local.errors import StackError
from local.options import StackOptions
from local.stack import Stack, running
from pipeline.config.celery_settings import queue_name
from producer.submit import JobRequest
from results.job_state import JobStatus
from results.stores.base import Store

LIMIT_S: Final = 900.0
SHORT_TIMES: Final = {
    "DIPTYCH_PUSH_TIMEOUT_S": "10",
    "DIPTYCH_BACKOFF_MAX_S": "1",
    "DIPTYCH_VISIBILITY_TIMEOUT_S": "14",
}
"""What a dead deliverer held comes back after 14 s, not 12 minutes."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """What to do.

    Args:
        request: the job; each target generates all of it.
        victims: who is killed, once for each time it is named.
        seed: of the moments.
        model_dir: where the job's model is, beside the shipped ones.
    """

    request: JobRequest
    victims: Sequence[str] = VICTIMS
    seed: int = 1
    model_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Args:
        kills: who was killed, and after how many recorded tasks.
        status: the job's.
        wall_s: from submission to the end.
        tally: what was counted in the store.
        unequal_images: images whose bytes differ from those of the run without kills.
    """

    kills: list[str]
    status: str
    wall_s: float
    audit_counts: AuditCounts
    unequal_images: int

    @property
    def sound(self) -> bool:
        """True if nothing was lost, doubled or changed."""
        return self.audit_counts.lost == self.audit_counts.doubled == self.unequal_images == 0


def run_chaos(chaos: Chaos, folder: Path) -> Report:
    """Run the job once in peace and once under fire, on one stack.

    Args:
        chaos: what to do.
        folder: where the stack's `.diptych` goes.
    Raises:
        StackError: the stack did not start or gave up, or the run in peace failed.
    """
    environment = dict(SHORT_TIMES)
    if chaos.model_dir:
        environment["DIPTYCH_MODEL_DIR"] = str(chaos.model_dir.resolve())
    with running(StackOptions(folder, environment=environment)) as stack:
        peace = JobRun(stack, replace(chaos.request, job_id="peace"), chaos.model_dir)
        if peace.follow(peace.submit(), limit_s=LIMIT_S).status is not JobStatus.SUCCEEDED:
            raise StackError("the run without kills did not succeed")
        return _under_fire(chaos, stack, image_hashes(peace.store, "peace"))


def _under_fire(chaos: Chaos, stack: Stack, wanted: dict[str, str]) -> Report:
    run = JobRun(stack, replace(chaos.request, job_id="fire"), chaos.model_dir)
    started = time.monotonic()
    manifest = run.submit()
    plan = plan_kills(chaos.victims, manifest.task_count * len(manifest.targets), chaos.seed)
    killer = Killer(stack, plan)
    state = run.follow(manifest, limit_s=LIMIT_S, poll_s=0.02, seen=killer.seen)
    wall_s = time.monotonic() - started
    _wait_for_stragglers(stack, run.store)
    found = image_hashes(run.store, "fire")
    return Report(
        kills=[f"{kill.victim} after {kill.after_tasks} tasks" for kill in killer.done],
        status=str(state.status),
        wall_s=round(wall_s, 1),
        audit_counts=audit_counts(run.store, manifest),
        unequal_images=sum(found.get(name) != digest for name, digest in wanted.items()),
    )


def _wait_for_stragglers(stack: Stack, store: Store) -> None:
    """Wait until the broker holds nothing: only then all work that was done twice has been counted."""
    deadline = time.monotonic() + float(SHORT_TIMES["DIPTYCH_VISIBILITY_TIMEOUT_S"]) * 3
    with redis.Redis(port=stack.addresses.broker) as broker:
        while time.monotonic() < deadline:
            waiting: Any = [broker.llen(queue_name(target)) for target in ("container", "function")]
            if not any([*waiting, broker.hlen("unacked")]):
                return
            time.sleep(0.2)
        # What is held tells a message that nobody fetches from one that is fetched and never restored.
        held: Any = (broker.hgetall("unacked"), broker.zrange("unacked_index", 0, -1, withscores=True))
    raise StackError(
        f"the broker still holds messages that nobody acknowledges: {waiting} waiting, fetched and not"
        f" acknowledged at {time.time():.0f}: {held}; the results are in {store.url}"
    )


def main() -> None:
    """The command line; exit code 1 if anything was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description="Kill every process during a job.")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--images-per-task", type=int, default=16)
    parser.add_argument("--model", default="faces-64")
    parser.add_argument("--rounds", type=int, default=2, help="kills of each victim")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    request = JobRequest(
        model=chosen.model,
        count=chosen.tasks * chosen.images_per_task,
        targets=("container", "function"),
        seed=chosen.seed,
        images_per_task=chosen.images_per_task,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="diptych-chaos-") as folder:
            report = run_chaos(Chaos(request, VICTIMS * chosen.rounds, chosen.seed), Path(folder))
    except StackError as error:
        sys.exit(f"error: {error}")
    print(json.dumps(asdict(report)) if chosen.json else _text(report))
    sys.exit(0 if report.sound else 1)


def _text(report: Report) -> str:
    found = report.audit_counts
    return "\n".join(
        [
            *(f"killed: {kill}" for kill in report.kills),
            f"job {report.status} after {report.wall_s:g} s: {found.tasks} tasks on both targets together",
            f"lost {found.lost}, doubled {found.doubled}, images that differ from the run without kills"
            f" {report.unequal_images}",
            f"work done twice: {found.duplicates} deliveries, {found.duplicate_images} images,"
            f" {found.duplicate_cpu_s:g} CPU seconds of {found.cpu_s:g};"
            f" {found.found_images} images of killed or cut-off deliveries were found and kept",
        ]
    )


if __name__ == "__main__":
    main()
