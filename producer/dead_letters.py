"""Dead letters: list and read them from the store, and redrive their tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import RequestError
from producer.publisher import Publisher
from producer.republish import Republication, open_for_publishing, publish_again
from results import naming
from results.documents import DeadLetter, Failure, load
from results.errors import DocumentError, ResultsError
from results.job_state import JobState
from results.parallel import map_in_order
from results.stores.base import Store
from results.target_state import TaskState
from results.targets import TARGETS, Target

_LETTER: Final = re.compile(r"(\d{6})-(\d{3})\.json")
TASKS_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class LetterInfo:
    """A dead letter, parsed from its object name.

    Args:
        publication: the publication whose task was dead-lettered.
        state: the task's current state: DEAD while the letter is open.
        name: full object name.
    """

    job_id: str
    target: Target
    task_index: int
    publication: int
    state: TaskState
    name: str


@dataclass(frozen=True, slots=True)
class ReadLetter:
    """A dead letter, read from the store.

    Args:
        letter: None if the document is damaged.
        problem: why it cannot be read, or "".
    """

    info: LetterInfo
    letter: DeadLetter | None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without the message, which `dlq show` prints."""
        letter = self.letter
        return {
            "job_id": self.info.job_id,
            "target": self.info.target,
            "task": self.info.task_index,
            "publication": self.info.publication,
            "state": str(self.info.state),
            "attempts": letter.attempts if letter else None,
            "dead_at": letter.dead_at.isoformat() if letter else None,
            "last_error": letter.last_error if letter else None,
            "message_id": letter.message_id if letter else None,
            "object": self.info.name,
            "problem": self.problem,
        }


def jobs_with_letters(store: Store) -> Iterator[str]:
    """Yield the jobs that have dead letters, open or settled: a few listings per job, no reads."""
    for job_id in store.list_folders(naming.jobs_prefix()):
        try:
            prefixes = [naming.deadletters_prefix(job_id, target) for target in TARGETS]
        except ValueError:
            continue  # not a job's folder
        if any(next(iter(store.list(prefix)), None) is not None for prefix in prefixes):
            yield job_id


def letters_of(store: Store, state: JobState, *, settled: bool = False) -> list[LetterInfo]:
    """List the dead letters of a job, by target and task.

    Args:
        state: the job's state, refreshed.
        settled: include letters whose task was since completed, failed, cancelled or published again.
    """
    letters = []
    for target, part in state.targets.items():
        open_names = {problem.name for problem in part.problems() if problem.state is TaskState.DEAD}
        prefix = naming.deadletters_prefix(state.manifest.job_id, target)
        for info in store.list(prefix):
            match = _LETTER.fullmatch(info.name, len(prefix))
            if not match or int(match[1]) >= state.manifest.task_count:
                continue
            task, publication = int(match[1]), int(match[2])
            letter = LetterInfo(state.manifest.job_id, target, task, publication, part.state(task), info.name)
            if settled or (letter.state is TaskState.DEAD and info.name in open_names):
                letters.append(letter)
    return letters


def read_letters(store: Store, letters: Sequence[LetterInfo]) -> Iterator[ReadLetter]:
    """Read letters, a few in parallel. A damaged one is yielded with its problem: it must not hide others.

    Raises:
        StoreError: the store failed.
    """

    def read(info: LetterInfo) -> ReadLetter:
        try:
            return ReadLetter(info, load(DeadLetter, store.read(info.name), info.name))
        except DocumentError as error:
            return ReadLetter(info, None, str(error))

    return map_in_order(read, letters)


def failures_of(store: Store, job_id: str, target: Target, task_index: int) -> list[Failure]:
    """Read the failures that a task's deliveries recorded, in order. Damaged documents are skipped."""
    prefix = f"{naming.failures_prefix(job_id, target)}"
    after = f"{prefix}{task_index:06d}-"
    failures = []
    for info in store.list(prefix, after=after):
        if not info.name.startswith(after):
            break
        try:
            failures.append(load(Failure, store.read(info.name), info.name))
        except ResultsError:
            continue
    return failures


def redrive(
    store: Store,
    publisher: Publisher,
    job_id: str,
    tasks: AbstractSet[int] | None = None,
    targets: Sequence[Target] = (),
) -> Republication:
    """Publish dead-lettered tasks of a job again, as a new publication.

    Args:
        tasks: only these; None: all dead-lettered ones.
        targets: only on these; empty: on all.
    Raises:
        RequestError: the job is cancelled, has no such target, or one of `tasks` is not dead-lettered.
        BrokerError, JobNotFound, StoreError: see these classes.
    """
    state = open_for_publishing(store, job_id)
    unknown = [target for target in targets if target not in state.targets]
    if unknown:
        raise RequestError(f"job {job_id} has no target {unknown[0]}, only {', '.join(state.targets)}")
    chosen = {name: part for name, part in state.targets.items() if not targets or name in targets}
    dead = {name: set(part.tasks_in([TaskState.DEAD])) for name, part in chosen.items()}
    if tasks is not None:
        others = sorted(frozenset(tasks).difference(*dead.values()))
        if others:
            raise RequestError(_not_dead(state, others, [*chosen]))
        dead = {name: indices & tasks for name, indices in dead.items()}
    return publish_again(store, publisher, state, dead)


def _not_dead(state: JobState, tasks: Sequence[int], targets: Sequence[Target]) -> str:
    job_id, count = state.manifest.job_id, state.manifest.task_count
    beyond = [task for task in tasks if not 0 <= task < count]
    if beyond:
        return f"job {job_id} has tasks 0..{count - 1}: there is no task {beyond[0]}"
    named = "; ".join(
        f"task {task} is " + ", ".join(f"{state.targets[name].state(task)} on {name}" for name in targets)
        for task in tasks[:TASKS_NAMED]
    )
    more = f"; and {len(tasks) - TASKS_NAMED} more" if len(tasks) > TASKS_NAMED else ""
    return f"not dead-lettered: {named}{more}; nothing was published (see `diptych dlq list {job_id}`)"
