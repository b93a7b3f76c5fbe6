"""How far one target is with a job's tasks, read from the names of the objects it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from results import naming
from results.documents import Manifest
from results.stores.base import Store
from results.targets import Target

_RECORD: Final = re.compile(r"(\d{6})\.json")
_FLAGGED: Final = re.compile(r"(\d{6})-(\d{3})")
_FAILURE: Final = re.compile(r"(\d{6})-(\d{3})(?:-[A-Za-z0-9_-]+)?\.json")


class TaskState(StrEnum):
    """Where one task is, on one target. The first four are ends."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DEAD = "dead"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """How many tasks of one target are in each state; they add up to `tasks`.

    Args:
        images: images asked for.
        images_done: images in the tasks that are done.
        last_progress_at: the store's time of the last record, failure or dead letter; None before the first.
        images_flagged: black images of tasks that are done, in the place of what a safety checker flagged.
    """

    tasks: int
    done: int
    cancelled: int
    failed: int
    dead: int
    published: int
    unpublished: int
    images: int
    images_done: int
    last_progress_at: datetime | None
    images_flagged: int

    @property
    def ended(self) -> int:
        """Tasks on which nothing more will happen by itself."""
        return self.done + self.cancelled + self.failed + self.dead


@dataclass(frozen=True, slots=True)
class Problem:
    """A task that ended without a record: the object that says why.

    Args:
        publication: the publication it ended in.
        state: FAILED or DEAD.
        name: full name of the failure or dead letter.
    """

    task_index: int
    publication: int
    state: TaskState
    name: str


class TargetState:
    """One target's tasks. `refresh` reads what is new; the rest answers from memory.

    Held as one byte per task and flag, so that a million tasks cost a few megabytes.
    """

    def __init__(self, manifest: Manifest, target: Target) -> None:
        self.target: Target = target
        self.cancelled = False
        self.last_progress_at: datetime | None = None
        self._manifest = manifest
        self._done = bytearray(manifest.task_count)
        self._done_prefix = 0
        self._published = bytearray(manifest.task_count)
        self._publication_of: dict[int, int] = {}  # later than the first, by task
        self._problems: dict[int, Problem] = {}
        self._flagged: dict[int, int] = {}

    def refresh(self, store: Store) -> None:
        """List what the target has written since; raises StoreError."""
        self._read_records(store)
        job_id, target = self._manifest.job_id, self.target
        self._read_problems(store, naming.failures_prefix(job_id, target), TaskState.FAILED)
        self._read_problems(store, naming.deadletters_prefix(job_id, target), TaskState.DEAD)
        # Only what is made from a text is checked: other jobs are spared the listing.
        if "prompt" in self._manifest.params:
            self._read_flagged(store, naming.flagged_prefix(job_id, target))

    def mark_published(self, publication: int, tasks: range) -> None:
        """Note that the broker has acknowledged these tasks for this target."""
        tasks = range(tasks.start, min(tasks.stop, len(self._published)))
        self._published[tasks.start : tasks.stop] = b"\x01" * len(tasks)
        if publication:
            for task in tasks:
                self._publication_of[task] = max(publication, self._publication_of.get(task, 0))

    def state(self, task: int) -> TaskState:
        """State of one task: record > cancelled > failure of its latest publication > published."""
        if self._done[task]:
            return TaskState.DONE
        if self.cancelled:
            return TaskState.CANCELLED
        problem = self._standing_problem(task)
        if problem:
            return problem.state
        return TaskState.PUBLISHED if self._published[task] else TaskState.UNPUBLISHED

    def tasks_in(self, states: Iterable[TaskState]) -> Iterator[int]:
        """Yield the tasks that are in one of these states, in order."""
        wanted = frozenset(states)
        return (task for task in range(len(self._done)) if self.state(task) in wanted)

    def problems(self) -> list[Problem]:
        """The failures and dead letters that still stand, in the order of their tasks."""
        standing = (self._standing_problem(task) for task in sorted(self._problems))
        return [problem for problem in standing if problem]

    def publication(self, task: int) -> int:
        """The latest publication of a published task."""
        return self._publication_of.get(task, 0)

    def highest_publication(self) -> int:
        """The highest publication number this target has seen."""
        numbers = [*self._publication_of.values(), *(p.publication for p in self._problems.values())]
        return max(numbers, default=0)

    def counts(self) -> TargetCounts:
        """Count the tasks by state."""
        tasks, done = len(self._done), self._done.count(1)
        problems = [] if self.cancelled else self.problems()
        dead = sum(problem.state is TaskState.DEAD for problem in problems)
        cancelled = tasks - done if self.cancelled else 0
        published = 0 if self.cancelled else self._count_waiting({p.task_index for p in problems})
        return TargetCounts(
            tasks=tasks,
            done=done,
            cancelled=cancelled,
            failed=len(problems) - dead,
            dead=dead,
            published=published,
            unpublished=tasks - done - cancelled - len(problems) - published,
            images=self._manifest.count,
            images_done=self._images_done(done),
            last_progress_at=self.last_progress_at,
            images_flagged=sum(count for task, count in self._flagged.items() if self._done[task]),
        )

    def _images_done(self, done: int) -> int:
        images = done * self._manifest.images_per_task
        if self._done[-1]:
            images -= self._manifest.images_per_task - len(self._manifest.task_range(len(self._done) - 1))
        return images

    def _count_waiting(self, ended: set[int]) -> int:
        """Tasks that are published and have not ended."""
        # One byte of 0 or 1 per task: as whole numbers, C counts a million of them in a millisecond.
        done = int.from_bytes(self._done, "little")
        published = int.from_bytes(self._published, "little")
        return (published & ~done).bit_count() - sum(self._published[task] for task in ended)

    def _standing_problem(self, task: int) -> Problem | None:
        problem = self._problems.get(task)
        if not problem or self._done[task] or problem.publication < self.publication(task):
            return None
        return problem

    def _read_records(self, store: Store) -> None:
        job_id, prefix = self._manifest.job_id, naming.records_prefix(self._manifest.job_id, self.target)
        # Tasks before the first gap are known: start the listing behind them.
        after = naming.record_name(job_id, self.target, self._done_prefix - 1) if self._done_prefix else None
        for info in store.list(prefix, after=after):
            match = _RECORD.fullmatch(info.name, len(prefix))
            if match and int(match[1]) < len(self._done):
                self._done[int(match[1])] = 1
                self._note_progress(info.created_at)
        gap = self._done.find(0, self._done_prefix)
        self._done_prefix = len(self._done) if gap < 0 else gap

    def _read_problems(self, store: Store, prefix: str, state: TaskState) -> None:
        for info in store.list(prefix):
            match = _FAILURE.fullmatch(info.name, len(prefix))
            if not match or int(match[1]) >= len(self._done):
                continue
            problem = Problem(int(match[1]), int(match[2]), state, info.name)
            known = self._problems.get(problem.task_index)
            # Within one publication a recorded failure says more than a dead letter: it was listed first.
            if known is None or problem.publication > known.publication:
                self._problems[problem.task_index] = problem
            self._note_progress(info.created_at)

    def _read_flagged(self, store: Store, prefix: str) -> None:
        for info in store.list(prefix):
            match = _FLAGGED.fullmatch(info.name, len(prefix))
            if match and int(match[1]) < len(self._done):
                self._flagged[int(match[1])] = int(match[2])

    def _note_progress(self, at: datetime) -> None:
        if self.last_progress_at is None or at > self.last_progress_at:
            self.last_progress_at = at
