"""The bodies that are sent: what Pub/Sub push posts for a task of a job of the run's own."""

from __future__ import annotations

from dataclasses import dataclass

from model.registry import ModelInfo
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.protocol.task_message import TaskMessage
from results.targets import Target


@dataclass(frozen=True, slots=True)
class Pushes:
    """Makes the push of each task.

    Args:
        job_id: the run's own, new: nothing is generated already.
        model: what generates.
        target: for whom.
        images: per task.
        seed: of the images.
    """

    job_id: str
    model: ModelInfo
    target: Target
    images: int
    seed: int

    def body(self, task: int, attempt: int) -> bytes:
        """The body of an attempt at a task, made now."""
        now = utc_now()
        message = TaskMessage(
            job_id=self.job_id,
            publication=0,
            publication_started_at=now,
            task_index=task,
            first_index=task * self.images,
            image_count=self.images,
            model=self.model.name,
            model_digest=self.model.digest,
            seed=self.seed,
            targets=(self.target,),
            submitted_at=now,
        )
        queued = queued_message(message, f"{self.job_id}-{task}", now)
        return push_body(queued, f"projects/local/subscriptions/diptych-{self.target}", attempt)
