"""Delivery under failure: every process of the stack is killed while a job runs; then everything is counted.

python -m benchmarks.delivery.chaos [--tasks 200] [--images-per-task 16] [--rounds 2] [--seed 1] [--json]
python -m benchmarks.delivery.chaos --broker pubsub --tasks 500 --images-per-task 4

`benchmarks.delivery.redelivery` is its counterpart for what a queue does on its own: twins, redeliveries,
another order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.delivery.audit_counts import FaultReport, audit_counts, image_hashes
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.killer import PUBSUB_VICTIMS, VICTIMS, Killer, plan_kills
from benchmarks.script import parser_of, run_script
from local.errors import StackError
from local.options import Broker, StackOptions, default_slots
from local.stack import Stack, running
from pipeline.config.celery_settings import queue_name
from producer.submit import JobRequest
from results.documents import Manifest
from results.job_state import JobStatus
from results.naming import duplicates_prefix
from results.stores.base import Store

LIMIT_S: Final = 1800.0
QUIET_S: Final = 10.0
"""The emulator does not say how much it holds. It sends again what failed after a second."""
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
        broker: of the stack.
    """

    request: JobRequest
    victims: Sequence[str] = VICTIMS
    seed: int = 1
    model_dir: Path | None = None
    broker: Broker = "celery"


def run_chaos(chaos: Chaos, folder: Path) -> FaultReport:
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
    slots = 1 if chaos.broker == "celery" else default_slots()
    options = StackOptions(
        folder, chaos.broker, container_slots=slots, function_slots=slots, environment=environment
    )
    with running(options) as stack:
        peace = JobRun(stack, replace(chaos.request, job_id="peace"), chaos.model_dir)
        if peace.follow(peace.submit(), limit_s=LIMIT_S).status is not JobStatus.SUCCEEDED:
            raise StackError("the run without kills did not succeed")
        return _under_fire(chaos, stack, image_hashes(peace.store, "peace"))


def _under_fire(chaos: Chaos, stack: Stack, wanted: dict[str, str]) -> FaultReport:
    run = JobRun(stack, replace(chaos.request, job_id="fire"), chaos.model_dir)
    started = time.monotonic()
    manifest = run.submit()
    plan = plan_kills(chaos.victims, manifest.task_count * len(manifest.targets), chaos.seed)
    killer = Killer(stack, plan)
    poll_s = 0.02 if chaos.broker == "celery" else 0.2
    state = run.follow(manifest, limit_s=LIMIT_S, poll_s=poll_s, seen=killer.seen)
    wall_s = time.monotonic() - started
    if chaos.broker == "celery":
        _wait_for_stragglers(stack, run.store)
    else:
        _wait_until_quiet(run.store, manifest)
    found = image_hashes(run.store, "fire")
    return FaultReport(
        kills=tuple(f"{kill.victim} after {kill.after_tasks} tasks" for kill in killer.done),
        status=str(state.status),
        wall_s=round(wall_s, 1),
        audit_counts=audit_counts(run.store, manifest),
        unequal_images=sum(found.get(name) != digest for name, digest in wanted.items()),
    )


def _wait_for_stragglers(stack: Stack, store: Store) -> None:
    """Wait until the broker holds nothing: only then all work that was done twice has been counted."""
    deadline = time.monotonic() + float(SHORT_TIMES["DIPTYCH_VISIBILITY_TIMEOUT_S"]) * 3
    with redis.Redis.from_url(stack.addresses.broker_url) as broker:
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
    """The command line; exit code 1 if anything was lost, doubled or changed."""
    options = (
        ("--tasks", 200),
        ("--images-per-task", 16),
        ("--model", "faces-64"),
        ("--rounds", 2, "kills of each victim"),
        ("--seed", 1),
    )

    def measure(chosen: argparse.Namespace, folder: Path) -> FaultReport:
        request = JobRequest(
            model=chosen.model,
            count=chosen.tasks * chosen.images_per_task,
            targets=("container", "function"),
            seed=chosen.seed,
            images_per_task=chosen.images_per_task,
        )
        victims = (VICTIMS if chosen.broker == "celery" else PUBSUB_VICTIMS) * chosen.rounds
        return run_chaos(Chaos(request, victims, chosen.seed, broker=chosen.broker), folder)

    parser = parser_of("Kill every process during a job.", options)
    parser.add_argument("--broker", choices=["celery", "pubsub"], default="celery")
    run_script(parser, measure, _text, sound=lambda report: report.sound)


def _text(report: FaultReport) -> str:
    unequal = f"images that differ from the run without kills {report.unequal_images}"
    return "\n".join([*report.lines(), unequal])


if __name__ == "__main__":
    main()
