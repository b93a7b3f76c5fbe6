"""What `diptych dlq` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import find_run_file
from producer.dead_letters import ReadLetter
from producer.pubsub.dead_letter_pull import Pulled
from producer.text import counted
from results.documents import Failure, Manifest
from results.target_state import TaskState


@dataclass(frozen=True, slots=True)
class DeadTask:
    """A dead-lettered task on one target, with its dead letters and failures.

    Args:
        letters: its dead letters, oldest first.
        failures: the failures that its deliveries recorded, oldest first.
    """

    manifest: Manifest
    letters: Sequence[ReadLetter]
    failures: Sequence[Failure]

    def as_dict(self) -> dict[str, Any]:
        """As JSON, with the last message."""
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
        """As lines to print."""
        info = self.letters[0].info
        images = self.manifest.task_range(info.task_index)
        yield f"target   {info.target}: the task is now {info.state}"
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
            yield "failure  none recorded: every delivery ended without a response, or asked for a retry"


def table(letters: Iterable[ReadLetter]) -> Iterator[str]:
    """A line per dead letter, below a line per job."""
    job = ""
    for letter in letters:
        info = letter.info
        if info.job_id != job:
            job = info.job_id
            yield f"job {job}"
            yield f"  {'target':<10} {'task':>6}  {'state':<10} cause"
        yield f"  {info.target:<10} {info.task_index:>6}  {info.state:<10} {_fate(letter)}"


def log_hints(job_id: str, task_index: int, broker_url: str) -> list[str]:
    """Commands that print the workers' log lines of a task."""
    run_file = find_run_file()
    if is_pubsub(broker_url) and not PubSubAddress.parse(broker_url).emulator:
        project = PubSubAddress.parse(broker_url).project
        query = f'labels.job="{job_id}" AND labels.task="{task_index}"'
        return [f"gcloud logging read '{query}' --project {project}"]
    if run_file and run_file.log_file:
        return [f"grep '{job_id} task {task_index}:' '{run_file.log_file}'"]
    return []


def next_steps(letters: Sequence[ReadLetter]) -> list[str]:
    """Commands for the open dead letters."""
    open_letters = [letter.info for letter in letters if letter.info.state is TaskState.DEAD]
    if not open_letters:
        return []
    first = open_letters[0]
    return [
        f"`diptych dlq show {first.job_id} {first.task_index}` shows one in detail;"
        f" `diptych dlq redrive {first.job_id} --all` publishes a job's tasks again"
    ]


def dead_letter_pull_notes(pulled: Pulled) -> list[str]:
    """Notes about the dead-letter pull subscription."""
    notes = []
    if pulled.written:
        notes.append(
            f"{counted(pulled.written, 'dead letter')} came from the pull subscription: pushes to the"
            " container's /dead-letter have not succeeded (yet)"
        )
    if pulled.left:
        notes.append(
            f"{counted(pulled.left, 'message')} left in the pull subscription: of jobs that are not in this"
            " store, or not tasks"
        )
    if pulled.more:
        notes.append("the pull subscription holds more: run the command again")
    return notes


def one_line(text: str) -> str:
    """Replace line breaks and control characters: quoted text must not control the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _fate(letter: ReadLetter) -> str:
    dead_letter = letter.letter
    if dead_letter is None:
        return one_line(letter.problem)
    return (
        f"{counted(dead_letter.attempts, 'attempt')}, dead since {dead_letter.dead_at:%Y-%m-%d %H:%M} UTC:"
        f" {one_line(dead_letter.last_error)}"
    )
