"""What `diptych dlq` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import find_run_file
from producer.dead_letters import ReadLetter
from producer.pubsub.dead_letter_pull import Collection
from producer.text import counted
from results.documents import Failure, Manifest
from results.target_state import TaskState


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of a dead-lettered task on one target.

    Args:
        letters: its dead letters, the oldest first.
        failures: what its deliveries recorded, the oldest first.
    """

    manifest: Manifest
    letters: Sequence[ReadLetter]
    failures: Sequence[Failure]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, with the last message."""
        first = self.letters[0].info
        images = self.manifest.task_range(first.task_index)
        last = self.letters[-1].letter
        return {
            "target": first.target,
            "task": first.task_index,
            "first_index": images.start,
            "image_count": len(images),
            "state": str(first.state),
            "letters": [letter.as_dict() for letter in self.letters],
            "failures": [failure.model_dump(mode="json") for failure in self.failures],
            "message": last.message if last else None,
        }

    def as_lines(self) -> Iterator[str]:
        """For people."""
        info = self.letters[0].info
        images = self.manifest.task_range(info.task_index)
        yield f"target   {info.target}: the task is {info.state} now"
        yield f"images   {images.start}..{images.stop - 1}"
        for letter in self.letters:
            yield f"letter   publication {letter.info.publication}, {_fate(letter)}"
            yield f"         {letter.info.name}"
        for failure in self.failures:
            yield (
                f"failure  publication {failure.publication}, {failure.failed_at:%Y-%m-%d %H:%M:%S} UTC,"
                f" on {failure.instance_id}: {failure.error}: {one_line(failure.detail)}"
            )
        if not self.failures:
            yield "failure  none recorded: every delivery ended without an answer, or with `try again`"


def table(letters: Iterable[ReadLetter]) -> Iterator[str]:
    """A line per letter, below a line per job."""
    job = ""
    for letter in letters:
        info = letter.info
        if info.job_id != job:
            job = info.job_id
            yield f"job {job}"
            yield f"  {'target':<10} {'task':>6}  {'state':<10} why"
        yield f"  {info.target:<10} {info.task_index:>6}  {info.state:<10} {_fate(letter)}"


def log_hints(job_id: str, task_index: int, broker_url: str) -> list[str]:
    """Where the workers' logs say more of a task."""
    run_file = find_run_file()
    if is_pubsub(broker_url) and not PubSubAddress.parse(broker_url).emulator:
        project = PubSubAddress.parse(broker_url).project
        query = f'labels.job="{job_id}" AND labels.task="{task_index}"'
        return [f"gcloud logging read '{query}' --project {project}"]
    if run_file and run_file.log_file:
        return [f"grep '{job_id} task {task_index}:' '{run_file.log_file}'"]
    return []


def next_steps(letters: Sequence[ReadLetter]) -> list[str]:
    """What can be done about the letters that stand."""
    standing = [letter.info for letter in letters if letter.info.state is TaskState.DEAD]
    if not standing:
        return []
    first = standing[0]
    return [
        f"`diptych dlq show {first.job_id} {first.task_index}` says more of one;"
        f" `diptych dlq redrive {first.job_id} --all` publishes a job's again"
    ]


def dead_letter_pull_note(found: Collection) -> list[str]:
    """What is worth a word about the reserve."""
    notes = []
    if found.written:
        notes.append(
            f"{counted(found.written, 'dead letter')} came from the reserve subscription: the push to the"
            " container's /dead-letter does not get through, or not yet"
        )
    if found.left:
        notes.append(
            f"{counted(found.left, 'message')} stay in the reserve subscription: of jobs that this store does"
            " not hold, or no task at all"
        )
    if found.more:
        notes.append("the reserve subscription holds more: the same command goes on")
    return notes


def one_line(text: str) -> str:
    """Without line breaks and control characters: what a message quotes must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _fate(letter: ReadLetter) -> str:
    found = letter.letter
    if found is None:
        return one_line(letter.problem)
    return (
        f"{counted(found.attempts, 'attempt')}, dead since {found.dead_at:%Y-%m-%d %H:%M} UTC:"
        f" {one_line(found.last_error)}"
    )
