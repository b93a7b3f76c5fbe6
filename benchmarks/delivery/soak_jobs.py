"""Jobs of mixed size on a stack under faults: submitted, looked at, counted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.delivery.audit_counts import AuditCounts, audit_counts, image_hashes
from benchmarks.delivery.job_run import JobRun
from benchmarks.delivery.tiny_model import write_tiny_model
from local.errors import StackError
from local.stack import Stack
from pipeline.errors import PipelineError
from producer.submit import JobRequest
from results.errors import ResultsError
from results.job_state import JobState, JobStatus, load_manifest
from results.targets import PUSHED_TARGETS

SILENCE_S: Final = 120.0
"""A job that stands still for longer must have had its reason in `diptych status`,"""
ASK_EVERY_S: Final = 20.0
"""which is asked so often meanwhile: one look may fall between the end of one fault and the next."""
SETTLE_S: Final = 300.0
"""What has not ended so long after the last fault does not end."""
IMAGES_PER_TASK: Final = (1, 4, 8)
OPEN_JOBS: Final = 3
SUBMIT_EVERY_S: Final = 3.0


class SilenceWatch:
    """Finds targets of jobs on which nothing ends, and of which nobody says why.

    Args:
        says_why: given a job's name: does `status` name a reason?
        clock: seconds that never go back.
    """

    def __init__(self, says_why: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._says_why, self._clock = says_why, clock
        self._last: dict[tuple[str, str], tuple[int, float, float]] = {}
        self.stuck: set[str] = set()
        self.noticed = 0

    def look(self, job_id: str, target: str, ended: int) -> None:
        """Note how many tasks have ended on a target that has not yet done all."""
        part, now = (job_id, target), self._clock()
        before, since, asked = self._last.setdefault(part, (ended, now, now))
        if ended != before:
            self._last[part] = ended, now, now
        elif now - asked >= ASK_EVERY_S:
            says_why = self._says_why(job_id)
            self.noticed += says_why
            self._last[part] = ended, now if says_why else since, now
            if not says_why and now - since > SILENCE_S:
                self.stuck.add(f"{job_id} on {target}")


class Jobs:
    """Submits jobs, looks at them and counts each when it has ended.

    Args:
        stack: a running one.
        tasks: sizes of jobs.
        seed: of the jobs.
        folder: where `diptych status` finds the stack, and where the model is.
    """

    def __init__(self, stack: Stack, tasks: Sequence[int], seed: int, folder: Path) -> None:
        self._stack, self._tasks, self._seed, self._folder = stack, tasks, seed, folder
        self._random = Random(seed)
        self._open: dict[str, JobState] = {}
        self.counted: dict[str, tuple[AuditCounts, int, JobStatus]] = {}
        self._submitted = self.refused = 0
        self._submit_at = 0.0
        self.silence = SilenceWatch(self._status_says_why)
        # Pixels depend on model, seed and index alone: the largest job in peace holds those of all others.
        run = self._run("peace", max(tasks), max(IMAGES_PER_TASK))
        state = run.follow(run.submit(), limit_s=SETTLE_S)
        if state.status is not JobStatus.SUCCEEDED:
            raise StackError("the run without faults did not succeed")
        self.store, self._wanted = run.store, image_hashes(run.store, "peace")
        self._count(state)

    @property
    def open(self) -> tuple[str, ...]:
        """Jobs that have not ended."""
        return tuple(self._open)

    def tick(self, *, submit: bool) -> None:
        """Look at every job once; submit another if few are open."""
        for job_id, state in [*self._open.items()]:
            state.refresh()
            parts = {target: part.counts() for target, part in state.targets.items()}
            if state.status.ended:
                del self._open[job_id]
                self._count(state)
                continue
            if any(counts.unpublished for counts in parts.values()):
                # As `status` tells the user to do.
                with suppress(PipelineError, ResultsError):
                    self._run(job_id, 1, 1).resume(job_id)
            for target, counts in parts.items():
                if counts.ended < counts.tasks:
                    self.silence.look(job_id, target, counts.ended)
        if submit and len(self._open) < OPEN_JOBS and time.monotonic() >= self._submit_at:
            self._submit_at = time.monotonic() + SUBMIT_EVERY_S
            self._submit()

    def count_all(self) -> None:
        """Count everything once more: what came after a job's end must have changed nothing."""
        for job_id in [*self.counted, *self._open]:
            self._count(JobState.of(self.store, job_id))

    def progress(self) -> str:
        """A line for who waits."""
        lost = sum(audit.lost for audit, *_ in self.counted.values())
        counts = f"{len(self.counted)} jobs counted, {len(self._open)} open"
        return f"{counts}, lost {lost}, stuck without a notice {len(self.silence.stuck)}"

    def _run(self, job_id: str, tasks: int, images_per_task: int) -> JobRun:
        model = write_tiny_model(self._folder / "models")
        request = JobRequest(
            model=model,
            count=tasks * images_per_task,
            targets=PUSHED_TARGETS,
            seed=self._seed,
            images_per_task=images_per_task,
            job_id=job_id,
        )
        return JobRun(self._stack, request, self._folder / "models")

    def _submit(self) -> None:
        """Submit a job; one that a fault interrupts goes on by `resume`, if it was accepted."""
        self._submitted += 1
        job_id = f"job-{self._submitted:04d}"
        run = self._run(job_id, self._random.choice(self._tasks), self._random.choice(IMAGES_PER_TASK))
        try:
            manifest = run.submit()
        except (PipelineError, ResultsError):
            try:
                manifest = load_manifest(self.store, job_id)
            except ResultsError:
                self.refused += 1
                return
        self._open[job_id] = JobState(self.store, manifest)

    def _count(self, state: JobState) -> None:
        """Count a job; of two counts the worse one stands."""
        manifest, job_id = state.manifest, state.manifest.job_id
        state.refresh()
        counts, found = audit_counts(self.store, manifest), image_hashes(self.store, job_id)
        unequal = sum(self._wanted.get(name) != digest for name, digest in found.items())
        before = self.counted.get(job_id)
        if before:
            worse = replace(
                counts, lost=max(counts.lost, before[0].lost), doubled=max(counts.doubled, before[0].doubled)
            )
            counts, unequal = worse, max(unequal, before[1])
        self.counted[job_id] = counts, unequal, state.status

    def _status_says_why(self, job_id: str) -> bool:
        """Ask as a user does; that it advises to look at the workers after a minute is no reason."""
        argv = [sys.executable, "-m", "diptych", "status", job_id, "--json"]
        done = subprocess.run(argv, cwd=self._folder, capture_output=True, text=True, check=False)
        try:
            view: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            return bool(done.stderr)
        return bool(view["faults"] or view["problems"])
