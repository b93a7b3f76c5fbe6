"""At-least-once delivery at its worst: twins at once, redeliveries, another order; then all is counted.

python -m benchmarks.delivery.redelivery [--tasks 1000] [--images-per-task 1] [--seed 1] [--json]

The local stack with the Pub/Sub emulator and fake-gcs-server; relays take the place of the emulator's pushes.
The container asks for signed pushes, and gets them.

fake-gcs-server looks at every file of the bucket to list a few, which Cloud Storage does not: with 4 images
to a task, and so 10,000 files, a duplicate takes a worker a second, and half an hour does not suffice.
"""

from __future__ import annotations

import argparse
import http
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.delivery.audit_counts import AuditCounts, FaultReport, audit_counts
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.oidc_issuer import AUDIENCE, EMAIL, LocalIssuer
from benchmarks.delivery.relay import Faults, PushSettings, Relay
from benchmarks.delivery.tiny_model import write_tiny_model
from benchmarks.script import parser_of, run_script
from local.errors import StackError
from local.http_call import call
from local.options import StackOptions
from local.stack import Stack, running
from producer.submit import JobRequest
from results.targets import PUSHED_TARGETS, Target

LIMIT_S: Final = 1800.0
IN_FLIGHT: Final = 4
"""Pushes at once to each worker: twice its slots; a duplicate meets its twin at work, or all are busy."""
SLOTS: Final = 2
BACKOFF_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(FaultReport):
    """What came of it; the time runs from the end of the submission to the last acknowledgement.

    Args:
        pushes: answers by status, over both targets.
        duplicated: messages that were posted twice at the same time.
        redelivered: messages that came again after the worker had acknowledged them.
        most_in_flight: most pushes at the same time, to one target.
    """

    pushes: dict[str, int]
    duplicated: int
    redelivered: int
    most_in_flight: int


def run_redelivery(tasks: int, images_per_task: int, faults: Faults, folder: Path) -> Report:
    """Run one job of the tiny model under faults.

    Args:
        tasks: how many; each for both targets.
        images_per_task: images in each.
        faults: what goes wrong on the way to both.
        folder: where the stack's `.diptych` and the model go.
    Raises:
        StackError: the stack did not start, or the time was up.
    """
    model = write_tiny_model(folder / "models")
    request = JobRequest(
        model=model,
        count=tasks * images_per_task,
        targets=PUSHED_TARGETS,
        seed=faults.seed,
        images_per_task=images_per_task,
        job_id="redelivery",
    )
    with LocalIssuer() as issuer, running(_options(folder, issuer)) as stack:
        _take_pushes_away(stack)
        run = JobRun(stack, request, folder / "models")
        manifest = run.submit()
        started_s = time.monotonic()
        with _relays(stack, issuer, faults) as relays:
            deadline_s = started_s + LIMIT_S
            while any(relay.counts.acknowledged < manifest.task_count for relay in relays):
                if time.monotonic() > deadline_s or stack.ended.is_set():
                    raise StackError(f"not done after {LIMIT_S:g} s: {[relay.counts for relay in relays]}")
                time.sleep(0.1)
        wall_s = time.monotonic() - started_s
        state = run.follow(manifest, limit_s=0)
        return _report(str(state.status), wall_s, audit_counts(run.store, manifest), relays)


def _options(folder: Path, issuer: LocalIssuer) -> StackOptions:
    environment = {
        "DIPTYCH_MODEL_DIR": str((folder / "models").resolve()),
        "DIPTYCH_PUSH_AUTH": "verify",
        "DIPTYCH_PUSH_AUDIENCE": AUDIENCE,
        "DIPTYCH_PUSH_EMAIL": EMAIL,
        "DIPTYCH_PUSH_CERTS_URL": issuer.url,
    }
    return StackOptions(
        folder, broker="pubsub", container_slots=SLOTS, function_slots=SLOTS, environment=environment
    )


def _take_pushes_away(stack: Stack) -> None:
    """Make subscriptions to pull from of those that the emulator pushes."""
    topic = stack.addresses.topic
    for target in PUSHED_TARGETS:
        path = topic.subscription_path(topic.push_subscription(target))
        change: dict[str, dict[str, str]] = {"pushConfig": {}}
        status, text = call(stack.addresses.pubsub, "POST", f"/v1/{path}:modifyPushConfig", change)
        if status != http.HTTPStatus.OK:
            raise StackError(f"the emulator goes on pushing {path}: {status} {text}")


@contextmanager
def _relays(stack: Stack, issuer: LocalIssuer, faults: Faults) -> Iterator[list[Relay]]:
    addresses = stack.addresses
    urls: dict[Target, str] = {
        "container": addresses.worker_url("container"),
        "function": f"{addresses.worker_url('function')}{addresses.topic.topic_path}",
    }
    with ExitStack() as entered:
        yield [
            entered.enter_context(
                Relay(
                    addresses.topic,
                    addresses.topic.push_subscription(target),
                    _push_settings(urls[target], issuer, faults),
                )
            )
            for target in PUSHED_TARGETS
        ]


def _push_settings(url: str, issuer: LocalIssuer, faults: Faults) -> PushSettings:
    return PushSettings(url, issuer.token, in_flight=IN_FLIGHT, backoff_s=BACKOFF_S, faults=faults)


def _report(status: str, wall_s: float, counted: AuditCounts, relays: list[Relay]) -> Report:
    counts = [relay.counts for relay in relays]
    statuses = sum((each.statuses for each in counts), Counter[int]())
    return Report(
        status=status,
        wall_s=round(wall_s, 1),
        audit_counts=counted,
        pushes={str(status): number for status, number in sorted(statuses.items())},
        duplicated=sum(each.duplicated for each in counts),
        redelivered=sum(each.redelivered for each in counts),
        most_in_flight=max(each.most_in_flight for each in counts),
    )


def main() -> None:
    """The command line; exit code 1 if anything was lost or doubled."""
    options = (
        ("--tasks", 1000),
        ("--images-per-task", 1),
        ("--duplicate", 0.1, "share of deliveries posted twice at once"),
        ("--lost-ack", 0.1, "share of acknowledgements that get lost"),
        ("--seed", 1),
    )

    def measure(chosen: argparse.Namespace, folder: Path) -> Report:
        faults = Faults(chosen.duplicate, chosen.lost_ack, reorder=True, seed=chosen.seed)
        return run_redelivery(chosen.tasks, chosen.images_per_task, faults, folder)

    parser = parser_of("Deliver with duplicates, lost acknowledgements and in random order.", options)
    run_script(parser, measure, _text, sound=lambda report: report.sound)


def _text(report: Report) -> str:
    answers = ", ".join(f"{number} x {status}" for status, number in report.pushes.items())
    return "\n".join(
        [
            *report.lines(),
            f"pushes: {answers}; {report.most_in_flight} at once to a target",
            f"injected: {report.duplicated} posted twice at once, {report.redelivered} acknowledgements lost,"
            " drawn by lot from 64 at hand",
        ]
    )


if __name__ == "__main__":
    main()
