"""Audits a broker again and again: what it has lost is published again, what dead workers hold given back.

A round reads only what is new in the store and counts what is in the broker. The messages themselves are
read when fewer are there than ought to be, and from time to time in any case: another message may stand in
a lost one's place in the count.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from pipeline.config.settings import Settings
from pipeline.errors import BrokerError, RequestError
from pipeline.protocol.clock import utc_now
from producer.celery.lost_tasks import LostTasks, find_lost, pause_between_scans
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from producer.republish import Republication, publish_again
from producer.text import counted
from results.errors import DocumentError, JobNotFound
from results.job_state import JobState, JobStatus, load_manifest
from results.naming import jobs_prefix
from results.stores.base import Store
from results.targets import TARGETS, Target

READ_EVERY_S: Final = 20.0
"""Between two readings of all messages."""
READ_SHARE: Final = 0.05
"""Most of the time that goes into them: a reading of 200,000 messages takes 13 s."""
HOLDER_PATIENCE_S: Final = 15.0
"""A worker without a connection for so long is dead: a living one has a new one within seconds."""
AGAIN_MIN_S: Final = 20.0
AGAIN_MAX_S: Final = 3600.0
"""A task that is lost again and again (a worker that rejects it, say) is published less and less often: a job
has 999 publications."""
SLACK: Final = timedelta(seconds=60)
"""Between the clocks of who submits and of who audits, and for a submission that takes long."""

_FINAL: Final = (JobStatus.SUCCEEDED, JobStatus.CANCELLED)
"""Ends that no `retry` undoes."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a round came to.

    Args:
        jobs: running jobs that were looked at.
        republished: what was published again, by job.
        given_back: messages that dead workers held.
        problems: what could not be audited or published, in a line each.
    """

    jobs: int
    republished: Mapping[str, Republication] = field(default_factory=dict)
    given_back: int = 0
    problems: tuple[str, ...] = ()

    def as_lines(self) -> list[str]:
        """For people: a line for each job that lost something, and for each problem."""
        lines = [
            f"job {job_id}: {counted(done.messages, 'lost task')} published again"
            for job_id, done in self.republished.items()
        ]
        if self.given_back:
            lines.append(f"{counted(self.given_back, 'task')} of dead workers put back onto the queue")
        return [*lines, *self.problems]


class LostTaskAudit:
    """Audits the running jobs that were published through one broker. Connections are made when needed.

    Args:
        store: where the jobs are; one that it does not hold is left alone.
        settings: its `broker_url` must be set.
        pause: called between two looks at the broker, if anything seems lost.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        pause: Callable[[], object] = pause_between_scans,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._pause, self._clock = store, pause, clock
        self._queue = CeleryQueue(settings)
        self._publisher = CeleryPublisher(settings)
        self._states: dict[str, JobState] = {}
        self._absent_since: dict[str, float] = {}
        self._read_at = float("-inf")
        self._tries: Counter[tuple[str, Target, int]] = Counter()
        self._again_at: dict[tuple[str, Target, int], float] = {}
        self._problems: list[str] = []
        self._marked_at = utc_now()

    def run(self) -> Recovery:
        """Do a round. A problem is told once, not in each round anew.

        Raises:
            BrokerError: the broker does not answer.
            StoreError: the store cannot be read or written.
        """
        try:
            done = self._round()
        except BrokerError:
            self.close()  # the next round connects anew
            raise
        new = tuple(problem for problem in done.problems if problem not in self._problems)
        self._problems = [*done.problems]
        return replace(done, problems=new)

    def close(self) -> None:
        """Let go of the connections."""
        self._queue.close()
        self._publisher.close()

    def _round(self) -> Recovery:
        given_back = self._give_back()
        self._note_emptied()
        # Counted before the store is read: what ends in between is not missed.
        present = self._queue.size(TARGETS)
        problems = self._refresh()
        running = [state for state in self._states.values() if not state.status.ended]
        started = self._clock()
        expected = sum(part.counts().published for state in running for part in state.targets.values())
        if not running or (present >= expected and started < self._read_at):
            return Recovery(len(running), {}, given_back, tuple(problems))
        lost = find_lost(running, self._queue, self._pause)
        self._read_at = self._clock() + max(READ_EVERY_S, (self._clock() - started) / READ_SHARE)
        republished: dict[str, Republication] = {}
        for job_id, tasks in lost.items():
            due = self._due(job_id, tasks)
            try:
                if any(due.values()):
                    state = self._states[job_id]
                    republished[job_id] = publish_again(self._store, self._publisher, state, due, lost=due)
                    self._note_tries(job_id, due)
            except RequestError as error:
                problems.append(str(error))
        return Recovery(len(running), republished, given_back, tuple(problems))

    def _note_emptied(self) -> None:
        """If somebody has emptied the broker, take on jobs that were submitted since the last round too."""
        emptied, last, self._marked_at = self._queue.mark(), self._marked_at, utc_now()
        if not emptied:
            return
        # That explains every loss: it is no task that gets lost by itself.
        self._tries.clear()
        self._again_at.clear()
        for job_id in self._store.list_folders(jobs_prefix()):
            with suppress(JobNotFound, DocumentError, ValueError):
                if (
                    job_id not in self._states
                    and load_manifest(self._store, job_id).submitted_at > last - SLACK
                ):
                    self._states[job_id] = JobState.of(self._store, job_id)

    def _give_back(self) -> int:
        """Give back what is held by workers that have been away for long."""
        abandoned, now = self._queue.abandoned(), self._clock()
        self._absent_since = {holder: self._absent_since.get(holder, now) for holder in abandoned}
        return self._queue.give_back(
            tag
            for holder, tags in abandoned.items()
            if now - self._absent_since[holder] >= HOLDER_PATIENCE_S
            for tag in tags
        )

    def _refresh(self) -> list[str]:
        """Read what is new of all jobs; return what is wrong with some. What is final is forgotten."""
        named = self._queue.jobs()
        problems, final = [], []
        for job_id in sorted(named | self._states.keys()):
            try:
                state = self._refreshed(job_id)
            except JobNotFound:
                # Of another store, whose stack will see to it; or somebody has removed it.
                if self._states.pop(job_id, None):
                    problems.append(f"job {job_id} is no longer in the store: its tasks are left alone")
                continue
            except (DocumentError, ValueError) as error:
                problems.append(f"job {job_id} cannot be audited: {error}")
                continue
            if state.status in _FINAL:
                final.append(job_id)
        for job_id in final:
            self._forget(job_id)
        self._queue.forget(final)
        # A broker that was emptied knows nothing of them.
        self._queue.remember(self._states.keys() - named)
        return problems

    def _refreshed(self, job_id: str) -> JobState:
        state = self._states.get(job_id)
        if state is None:
            state = self._states[job_id] = JobState.of(self._store, job_id)
        else:
            state.require()
            state.refresh()
        return state

    def _forget(self, job_id: str) -> None:
        del self._states[job_id]
        for task in [task for task in self._tries if task[0] == job_id]:
            del self._tries[task], self._again_at[task]

    def _due(self, job_id: str, lost: LostTasks) -> LostTasks:
        """Those of the lost tasks whose turn it is."""
        now = self._clock()
        return {
            target: {task for task in tasks if now >= self._again_at.get((job_id, target, task), now)}
            for target, tasks in lost.items()
        }

    def _note_tries(self, job_id: str, published: LostTasks) -> None:
        """Note when their next turn is; what could not be published (a full disk, say) has lost none."""
        now = self._clock()
        for key in ((job_id, target, task) for target, tasks in published.items() for task in tasks):
            patience_s = AGAIN_MIN_S * 2.0 ** min(self._tries[key], 30)
            self._again_at[key] = now + min(patience_s, AGAIN_MAX_S)
            self._tries[key] += 1
