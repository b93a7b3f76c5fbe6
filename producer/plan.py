"""The plan: how a job is split into tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.config.pubsub_settings import ACK_DEADLINE_S
from pipeline.errors import RequestError
from pipeline.protocol.task_message import MAX_IMAGES_PER_TASK
from producer.text import counted
from results.naming import MAX_INDEX, MAX_TASK

MAX_COUNT: Final = MAX_INDEX + 1
MAX_TASKS: Final = MAX_TASK + 1
TASK_WORK_S: Final = 30.0
"""Work per task: long against a delivery's overhead, short against the work lost with a worker."""
LONGEST_TASK_S: Final = ACK_DEADLINE_S / 2
"""Limit of a task's 99th percentile: ten times TASK_WORK_S. `diptych doctor` checks measured ones."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of tasks and of images per task.

    Args:
        count: images per target, 1..10**8.
        images_per_task: 1..256; the last task may hold fewer.
        seconds_per_image: nominal time of one image on one vCPU.
    """

    count: int
    images_per_task: int
    seconds_per_image: float

    @property
    def task_count(self) -> int:
        """Tasks per target."""
        return -(-self.count // self.images_per_task)

    @property
    def work_s(self) -> float:
        """Nominal work on one vCPU, per target."""
        return self.count * self.seconds_per_image

    @property
    def warning(self) -> str | None:
        """A warning if a task takes too long for one delivery."""
        task_s = min(self.images_per_task, self.count) * self.seconds_per_image
        if task_s <= LONGEST_TASK_S:
            return None
        text = (
            f"a task of {counted(self.images_per_task, 'image')} takes about {task_s:.0f} s, over half of the"
            f" ack deadline of {ACK_DEADLINE_S} s: a later delivery may have to finish it"
        )
        better = int(TASK_WORK_S / self.seconds_per_image)
        return f"{text}; --images-per-task {better} avoids that" if better else text


def make_plan(count: int, seconds_per_image: float, images_per_task: int | None = None) -> Plan:
    """Split a job into tasks of about TASK_WORK_S of work.

    Args:
        count: images per target.
        seconds_per_image: nominal time of one image on one vCPU, above 0.
        images_per_task: the user's choice, or None.
    Raises:
        RequestError: a number is outside its limits.
    """
    if not 1 <= count <= MAX_COUNT:
        raise RequestError(f"cannot generate {count} images: the count must be 1 to {MAX_COUNT:,}")
    if images_per_task is None:
        # A huge job gets larger tasks, since task numbers are limited.
        fewest = -(-count // MAX_TASKS)
        preferred = max(fewest, int(TASK_WORK_S / seconds_per_image))
        return Plan(count, max(1, min(preferred, MAX_IMAGES_PER_TASK)), seconds_per_image)
    if not 1 <= images_per_task <= MAX_IMAGES_PER_TASK:
        raise RequestError(
            f"cannot put {images_per_task} images into a task: the limit is 1 to {MAX_IMAGES_PER_TASK}"
        )
    plan = Plan(count, images_per_task, seconds_per_image)
    if plan.task_count > MAX_TASKS:
        raise RequestError(
            f"{count:,} images in tasks of {images_per_task} are {plan.task_count:,} tasks, over the limit of"
            f" {MAX_TASKS:,}: use --images-per-task {-(-count // MAX_TASKS)} or more"
        )
    return plan
