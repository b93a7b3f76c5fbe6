"""Object names: the one place that knows the layout of the store (docs: the design's "The store").

Every function checks its arguments, so that no name that reaches a store can leave the layout.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from results.targets import TARGETS

NAME_PATTERN: Final = r"[a-z0-9][a-z0-9-]{0,62}"
"""Job and model names. No dot, slash or NUL: no path can be smuggled through them."""
DIGEST_PATTERN: Final = r"sha256:[0-9a-f]{64}"
DELIVERY_ID_PATTERN: Final = r"[A-Za-z0-9_-]{1,64}"

MAX_INDEX: Final = 10**8 - 1
MAX_TASK: Final = 10**6 - 1
MAX_PUBLICATION: Final = 999

_NAME = re.compile(NAME_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)
_DELIVERY_ID = re.compile(DELIVERY_ID_PATTERN)
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_name(name: str) -> str:
    """Return `name` if it may name a job or a model; else raise ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"bad name {name[:80]!r}: use 1 to 63 of a-z, 0-9 and '-', starting with a letter or digit"
        )
    return name


def _check_target(target: str) -> str:
    if target not in TARGETS:
        raise ValueError(f"unknown target {target[:80]!r}: use one of {', '.join(TARGETS)}")
    return target


def _check_range(what: str, value: int, maximum: int) -> int:
    if not 0 <= value <= maximum:
        raise ValueError(f"{what} {value} is outside 0..{maximum}")
    return value


def _check_delivery_id(delivery_id: str) -> str:
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise ValueError(f"bad delivery id {delivery_id[:80]!r}")
    return delivery_id


def jobs_prefix() -> str:
    """Prefix of all jobs."""
    return "jobs/"


def job_prefix(job_id: str) -> str:
    """Prefix of all that belongs to one job."""
    return f"jobs/{check_name(job_id)}/"


def manifest_name(job_id: str) -> str:
    """The job's manifest: written once, first."""
    return f"{job_prefix(job_id)}job.json"


def cancelled_name(job_id: str) -> str:
    """The marker that cancels a job."""
    return f"{job_prefix(job_id)}cancelled.json"


def published_prefix(job_id: str) -> str:
    """Prefix of the chunks of tasks that the broker has acknowledged."""
    return f"{job_prefix(job_id)}published/"


def published_name(job_id: str, publication: int, first_task: int, last_task: int) -> str:
    """One acknowledged chunk: tasks first_task..last_task, both included."""
    _check_range("publication", publication, MAX_PUBLICATION)
    _check_range("first task", first_task, MAX_TASK)
    _check_range("last task", last_task, MAX_TASK)
    return f"{published_prefix(job_id)}{publication:03d}-{first_task:06d}-{last_task:06d}.json"


def target_prefix(job_id: str, target: str) -> str:
    """Prefix of what one target has written for a job."""
    return f"{job_prefix(job_id)}{_check_target(target)}/"


def images_prefix(job_id: str, target: str) -> str:
    """Prefix of a target's PNGs."""
    return f"{target_prefix(job_id, target)}images/"


def image_name(job_id: str, target: str, index: int) -> str:
    """One PNG."""
    return f"{images_prefix(job_id, target)}{_check_range('index', index, MAX_INDEX):08d}.png"


def records_prefix(job_id: str, target: str) -> str:
    """Prefix of a target's records."""
    return f"{target_prefix(job_id, target)}records/"


def record_name(job_id: str, target: str, task_index: int) -> str:
    """The commit marker of one task."""
    return f"{records_prefix(job_id, target)}{_check_range('task', task_index, MAX_TASK):06d}.json"


def failures_prefix(job_id: str, target: str) -> str:
    """Prefix of a target's permanent failures."""
    return f"{target_prefix(job_id, target)}failures/"


def failure_name(job_id: str, target: str, task_index: int, publication: int, delivery_id: str) -> str:
    """One permanent failure of one delivery."""
    _check_range("task", task_index, MAX_TASK)
    _check_range("publication", publication, MAX_PUBLICATION)
    return (
        f"{failures_prefix(job_id, target)}{task_index:06d}-{publication:03d}"
        f"-{_check_delivery_id(delivery_id)}.json"
    )


def deadletters_prefix(job_id: str, target: str) -> str:
    """Prefix of a target's dead letters."""
    return f"{target_prefix(job_id, target)}deadletters/"


def deadletter_name(job_id: str, target: str, task_index: int, publication: int) -> str:
    """One task that ran out of delivery attempts."""
    _check_range("task", task_index, MAX_TASK)
    _check_range("publication", publication, MAX_PUBLICATION)
    return f"{deadletters_prefix(job_id, target)}{task_index:06d}-{publication:03d}.json"


def flagged_prefix(job_id: str, target: str) -> str:
    """Prefix of the marks of tasks with flagged images."""
    return f"{target_prefix(job_id, target)}flagged/"


def flagged_name(job_id: str, target: str, task_index: int, count: int) -> str:
    """The mark of a task of which `count` images are flagged: a listing tells how many."""
    return f"{flagged_prefix(job_id, target)}{_check_range('task', task_index, MAX_TASK):06d}-{count:03d}"


def duplicates_prefix(job_id: str, target: str) -> str:
    """Prefix of the work that was done twice."""
    return f"{target_prefix(job_id, target)}duplicates/"


def duplicate_name(job_id: str, target: str, task_index: int, delivery_id: str) -> str:
    """Work done twice by one delivery."""
    _check_range("task", task_index, MAX_TASK)
    return f"{duplicates_prefix(job_id, target)}{task_index:06d}-{_check_delivery_id(delivery_id)}.json"


def rejected_name(date: str, message_id: str) -> str:
    """What could not be decoded. A message id that is no safe name is replaced by its hash.

    Args:
        date: UTC date, YYYY-MM-DD.
        message_id: the broker's id, or anything at all.
    """
    if not _DATE.fullmatch(date):
        raise ValueError(f"bad date {date[:40]!r}: use YYYY-MM-DD")
    if not _MESSAGE_ID.fullmatch(message_id):
        digest = hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
        message_id = f"h-{digest[:32]}"
    return f"rejected/{date}/{message_id}.json"


def model_name(digest: str) -> str:
    """A pushed checkpoint, named by its digest ("sha256:<64 hex digits>")."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"bad digest {digest[:80]!r}: use sha256:<64 hex digits>")
    return f"models/{digest}.safetensors"
