"""Jobs of mixed size for 45 minutes under every kind of fault; then, and meanwhile, everything is counted.

python -m benchmarks.delivery.soak [--minutes 45] [--long] [--seed 1] [--pause 6] [--json]

Broker connections are cut, processes frozen and killed, singly and worker and deliverer at once, the broker
is killed and emptied, garbage is queued, the disk gets full and read-only (as root), the clock is stepped
(with Debian's `faketime`). Exit status 1 if a task was lost, an image doubled or changed, or a job stood
still for 120 s and `diptych status` did not say why.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from benchmarks.delivery.audit_counts import AuditCounts, FaultReport
from benchmarks.delivery.fault_injection import Clock, FaultInjector, small_disk
from benchmarks.delivery.soak_jobs import SETTLE_S, Jobs
from benchmarks.script import parser_of, run_script
from local.options import StackOptions
from local.stack import Stack, running

LONG_MINUTES: Final = 120.0
TASKS: Final = (1, 3, 40, 150)
TOLD_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Soak:
    """What to do.

    Args:
        run_s: how long faults come; longer if not every kind has come by then.
        seed: of faults and jobs.
        pause_s, long_share: see FaultInjector.
        tasks: sizes of jobs.
        faketime: see Clock.
    """

    run_s: float
    seed: int = 1
    pause_s: float = 6.0
    long_share: float = 0.03
    tasks: tuple[int, ...] = TASKS
    faketime: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakReport(FaultReport):
    """What came of it; the sums are over all jobs.

    Args:
        jobs: how many.
        refused: submissions that were refused, and left nothing.
        faults: how often each kind came.
        skipped: kinds that this machine does not allow, and why.
        stuck: jobs that stood still without a word.
        noticed: how often `status` was asked about a job that stood still, and said why.
        rejected: documents of garbage.
    """

    jobs: int
    refused: int
    faults: dict[str, int]
    skipped: tuple[str, ...]
    stuck: tuple[str, ...]
    noticed: int
    rejected: int

    @property
    def promises_kept(self) -> bool:
        """True if nothing was lost, doubled, changed or stuck without a word."""
        return self.sound and not self.stuck


def run_soak(soak: Soak, folder: Path, tell: Callable[[str], None] = lambda _: None) -> SoakReport:
    """Run it.

    Args:
        soak: what to do.
        folder: an empty one.
        tell: takes a line a minute.
    Raises:
        StackError: the stack did not start or gave up.
    """
    clock = Clock(folder, soak.faketime)
    environment = {**clock.environment, "DIPTYCH_MODEL_DIR": str(folder / "models")}
    with small_disk(folder / "disk") as disk:
        store_url = (folder / "disk").as_uri()
        with running(StackOptions(folder, store_url=store_url, environment=environment)) as stack:
            jobs = Jobs(stack, soak.tasks, soak.seed, folder)
            injector = FaultInjector(
                stack, disk, clock, seed=soak.seed, pause_s=soak.pause_s, long_share=soak.long_share
            )
            started = time.monotonic()
            _follow(stack, jobs, injector, soak.run_s, tell)
            return _report(jobs, injector, time.monotonic() - started)


def _report(jobs: Jobs, injector: FaultInjector, wall_s: float) -> SoakReport:
    jobs.count_all()
    audits, unequal, statuses = zip(*jobs.counted.values(), strict=True)
    ended = Counter(str(status) for status in statuses)
    return SoakReport(
        status="succeeded" if {*ended} == {"succeeded"} else str(dict(ended)),
        wall_s=round(wall_s, 1),
        audit_counts=AuditCounts(*(sum(values) for values in zip(*map(astuple, audits), strict=True))),
        unequal_images=sum(unequal),
        jobs=len(audits),
        refused=jobs.refused,
        faults=dict(injector.done),
        skipped=tuple(injector.skipped),
        stuck=(*sorted(jobs.silence.stuck), *(f"{job_id} at the end" for job_id in jobs.open)),
        noticed=jobs.silence.noticed,
        rejected=sum(1 for _ in jobs.store.list("rejected/")),
    )


def _follow(
    stack: Stack, jobs: Jobs, injector: FaultInjector, run_s: float, tell: Callable[[str], None]
) -> None:
    stop = threading.Event()
    told_at = started = time.monotonic()
    settled_at = float("inf")
    with ThreadPoolExecutor(1) as pool:
        striking = pool.submit(injector.run, stop)
        try:
            while not stack.ended.is_set() and (not striking.done() or jobs.open):
                jobs.tick(submit=not striking.done())
                now = time.monotonic()
                if now - started > run_s:
                    stop.set()
                if striking.done():
                    settled_at = min(settled_at, now + SETTLE_S)
                if now > settled_at:
                    break
                if now - told_at > TOLD_EVERY_S:
                    told_at = now
                    tell(f"{(now - started) / 60:.0f} min: {jobs.progress()}")
                time.sleep(0.2)
        finally:
            stop.set()
        striking.result()


def main() -> None:
    """The command line; exit status 1 if a promise broke."""
    options = (("--minutes", 45.0), ("--seed", 1), ("--pause", 6.0, "seconds between two faults, on average"))
    parser = parser_of("Run jobs under every kind of fault.", options)
    parser.add_argument("--faketime", type=Path, help="libfaketimeMT.so.1, if it is not where Debian has it")
    parser.add_argument("--long", action="store_true", help=f"{LONG_MINUTES:g} minutes")

    def measure(chosen: argparse.Namespace, folder: Path) -> SoakReport:
        minutes = LONG_MINUTES if chosen.long else chosen.minutes
        soak = Soak(minutes * 60, chosen.seed, pause_s=chosen.pause, faketime=chosen.faketime)
        return run_soak(soak, folder, lambda line: print(line, file=sys.stderr, flush=True))

    run_script(parser, measure, _text, sound=lambda report: report.promises_kept)


def _text(report: SoakReport) -> str:
    counts = report.audit_counts
    return "\n".join(
        [
            *(f"skipped: {kind}" for kind in report.skipped),
            *(f"{times} x {kind}" for kind, times in report.faults.items()),
            *(f"stuck: {job}" for job in report.stuck),
            counts.duplicates_text,
            f"soak {'OK' if report.promises_kept else 'FAILED'}: {report.wall_s / 60:.1f} min,"
            f" {sum(report.faults.values())} faults, {report.jobs} jobs {report.status},"
            f" {report.refused} refused, {counts.tasks} tasks, lost {counts.lost}, doubled {counts.doubled},"
            f" different {report.unequal_images}, stuck without a notice {len(report.stuck)}"
            f" (with one {report.noticed}), garbage rejected {report.rejected}",
        ]
    )


if __name__ == "__main__":
    main()
