"""Jobs on their way: looks for their records, one job at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, cast

from bench.queue.task_timing import Outcome, Phase, TaskTiming, of_record
from bench.runs.wall_clock import ahead_s, was_set
from results.documents import Manifest
from results.errors import DocumentError, StoreError
from results.job_state import JobState
from results.naming import record_name
from results.records import is_cold, read_record
from results.stores.base import Store
from results.target_state import TaskState
from results.targets import Target

STATE_EVERY_S: Final = 5.0
"""Between looks for tasks that ended without a record: they cost several listings."""
_LOST: Final = frozenset((TaskState.FAILED, TaskState.DEAD, TaskState.CANCELLED))


@dataclass(slots=True)
class Flight:
    """A job on its way.

    Args:
        manifest: the job's.
        head: what the timings of its tasks have in common.
        warm_up: it counts for the warm-up.
        ahead_s: see `bench.runs.wall_clock`, just before it was submitted.
        looked_at: when its state was last read.
    """

    manifest: Manifest
    head: dict[str, Any]
    warm_up: bool
    ahead_s: float
    looked_at: float = field(default_factory=monotonic)
    waiting: set[tuple[Target, int]] = field(init=False)

    def __post_init__(self) -> None:
        tasks = range(self.manifest.task_count)
        self.waiting = {(target, task) for target in self.manifest.targets for task in tasks}


class Follower:
    """Writes the timing of each task that has ended.

    Args:
        store: where records are.
        origin: the run's start (time.monotonic).
        write: given each timing.
    """

    def __init__(self, store: Store, origin: float, write: Callable[[TaskTiming], None]) -> None:
        self._store, self._origin, self._write = store, origin, write
        self._flights: deque[Flight] = deque()

    @property
    def waiting(self) -> int:
        """Jobs on their way."""
        return len(self._flights)

    def add(self, flight: Flight) -> None:
        """A job was submitted."""
        self._flights.append(flight)

    def look(self, until: float) -> None:
        """Look at every job once, the one that waited longest first; stop early when it is `until`.

        A store that fails for the moment is asked again later: times come from the records, not from looks.

        Raises:
            StoreError: for good. DiskFull: see RawLog.
        """
        for _ in range(len(self._flights)):
            if monotonic() >= until:
                return
            flight = self._flights[0]
            try:
                self._look_at(flight)
            except StoreError as error:
                if not error.transient:
                    raise
            self._flights.popleft()
            if flight.waiting:
                self._flights.append(flight)

    def give_up(self, outcome: Outcome) -> None:
        """The run ends; what is not there is missing, or unfinished."""
        for flight in self._flights:
            for target, task in sorted(flight.waiting):
                self._write(_timing(flight, target, task, outcome, {}))
            flight.waiting.clear()
        self._flights.clear()

    def _look_at(self, flight: Flight) -> None:
        job = flight.manifest.job_id
        for target, task in sorted(flight.waiting):
            if self._store.stat(record_name(job, target, task)) is None:
                continue
            try:
                stored = read_record(self._store, job, target, task)
            except DocumentError:
                flight.waiting.discard((target, task))
                self._write(_timing(flight, target, task, "failed", {}))
                continue
            flight.waiting.discard((target, task))
            ahead = ahead_s()
            span_s = monotonic() - self._origin - float(flight.head["sent_s"])
            phase: Phase | None = "cold" if is_cold(stored.record) else None
            if was_set(flight.ahead_s, ahead, span_s):
                phase = "clock set"
            # The wall clock as it stands now: one that was set before this job moves nothing.
            measured = of_record(stored, self._origin + ahead)
            self._write(_timing(flight, target, task, "ok", measured, phase))
        if flight.waiting and monotonic() - flight.looked_at > STATE_EVERY_S:
            flight.looked_at = monotonic()
            for target, task, outcome in self._lost(flight.manifest):
                if (target, task) in flight.waiting:
                    flight.waiting.discard((target, task))
                    self._write(_timing(flight, target, task, outcome, {}))

    def _lost(self, manifest: Manifest) -> Iterator[tuple[Target, int, Outcome]]:
        state = JobState(self._store, manifest)
        state.refresh()
        for target, part in state.targets.items():
            for task in part.tasks_in(_LOST):
                yield target, task, cast(Outcome, part.state(task).value)


def _timing(
    flight: Flight,
    target: Target,
    task: int,
    outcome: Outcome,
    measured: dict[str, Any],
    phase: Phase | None = None,
) -> TaskTiming:
    return TaskTiming(
        target=target,
        task=task,
        phase=phase or ("warm-up" if flight.warm_up else "measured"),
        outcome=outcome,
        images=len(flight.manifest.task_range(task)),
        **flight.head,
        **measured,
    )
