"""How far a job is, as the page shows it: looked at again and again, at the price of what is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any, Final

from producer.job_view import hints, job_as_dict
from results.documents import Manifest
from results.errors import DocumentError, ObjectNotFound
from results.job_state import JobState
from results.naming import image_name
from results.parallel import map_in_order
from results.records import read_record
from results.stores.base import Store
from results.target_state import TargetState, TaskState
from results.targets import Target
from webpage.views.figures import figures_of
from webpage.views.index_ranges import Runs, runs_of
from webpage.views.task_row import MAX_ROWS, Row, damaged_row, row_of

ROWS_PER_LOOK: Final = 200
"""Records read between two signs of life."""
MAX_RUNS: Final = 5000
TASKS_IN_SIGHT: Final = 4
IMAGES_IN_SIGHT: Final = 512
"""Images of unfinished tasks that are looked for one by one, per target."""


class JobProgress:
    """One job. Not thread-safe: its poller owns it.

    Args:
        store: where it is.
        manifest: the job's.
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.manifest = manifest
        self.rows: list[Row] = []
        """In the order in which they were read; only ever added to."""
        self._store = store
        self._state = JobState(store, manifest)
        self._read: dict[Target, set[int]] = {target: set() for target in manifest.targets}
        self._seen: dict[Target, set[int]] = {target: set() for target in manifest.targets}

    @property
    def ended(self) -> bool:
        """True once nothing more will happen by itself, and everything that is to be read has been."""
        return self._state.status.ended and not any(self._unread(part) for part in self._parts())

    def look(self) -> None:
        """Look at the store once more. Raises StoreError or DocumentError."""
        self._state.refresh()
        for part in self._parts():
            self._read_rows(part)
            self._look_for_images(part)

    def view(self) -> dict[str, Any]:
        """All but the rows, ready for JSON."""
        job = job_as_dict(self._store, self._state)
        targets = {part.target: self._target_view(part) for part in self._parts()}
        return {
            "status": job["status"],
            "ended": self._state.status.ended,
            "last_progress_at": job["last_progress_at"],
            "problems": job["problems"],
            "hints": hints(job),
            "targets": targets,
        }

    def _target_view(self, part: TargetState) -> dict[str, Any]:
        counts = asdict(part.counts())
        del counts["last_progress_at"]
        return {
            **counts,
            "done_tasks": _tasks(part, TaskState.DONE),
            "failed_tasks": _tasks(part, TaskState.FAILED, TaskState.DEAD),
            "seen_images": runs_of(sorted(self._seen[part.target]), limit=MAX_RUNS),
            "figures": figures_of(row for row in self.rows if row["target"] == part.target),
        }

    def _parts(self) -> list[TargetState]:
        return [*self._state.targets.values()]

    def _unread(self, part: TargetState) -> list[int]:
        """Done tasks whose records are to be read, the first few of them."""
        read = self._read[part.target]
        room = min(ROWS_PER_LOOK, MAX_ROWS - len(read))
        if room <= 0 or part.counts().done == len(read):
            return []
        new = (task for task in part.tasks_in([TaskState.DONE]) if task not in read)
        return [*islice(new, room)]

    def _read_rows(self, part: TargetState) -> None:
        target, tasks = part.target, self._unread(part)
        self.rows += map_in_order(lambda task: self._row(target, task), tasks)
        self._read[target].update(tasks)
        self._seen[target] -= {index for task in tasks for index in self.manifest.task_range(task)}

    def _row(self, target: Target, task: int) -> Row:
        """A record that cannot be read must not hide the others."""
        try:
            return row_of(read_record(self._store, self.manifest.job_id, target, task))
        except DocumentError as error:
            return damaged_row(target, task, str(error))
        except ObjectNotFound:
            return damaged_row(target, task, f"the record of task {task} is gone since it was listed")

    def _look_for_images(self, part: TargetState) -> None:
        """Find what is stored of the tasks that workers are probably at: queues are first in, first out."""
        waiting = part.tasks_in([TaskState.PUBLISHED, TaskState.CANCELLED])
        names = {
            image_name(self.manifest.job_id, part.target, index): index
            for index in islice(self._unseen(part.target, islice(waiting, TASKS_IN_SIGHT)), IMAGES_IN_SIGHT)
        }
        if names:
            self._seen[part.target].update(names[name] for name in self._store.find([*names]))

    def _unseen(self, target: Target, tasks: Iterator[int]) -> Iterator[int]:
        indices = (index for task in tasks for index in self.manifest.task_range(task))
        return (index for index in indices if index not in self._seen[target])


def _tasks(part: TargetState, *states: TaskState) -> Runs:
    return runs_of(part.tasks_in(states), limit=MAX_RUNS)
