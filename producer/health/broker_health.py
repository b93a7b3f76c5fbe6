"""What keeps a job from going on at a Celery broker: silence, nobody who delivers, failing or lost tasks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from pipeline.config.celery_settings import queue_name
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from producer.health.fault import Fault
from producer.text import counted
from results.errors import ResultsError
from results.job_state import JobState
from results.targets import Target

if TYPE_CHECKING:
    from producer.celery.queue import CeleryQueue

READ_MESSAGES: Final = 20_000
"""Longest queues that are read for one look: half a second."""


def broker_faults(
    settings: Settings, state: JobState, targets: Sequence[Target], mend: str, limit_s: float
) -> list[Fault]:
    """Find what is wrong; a broker that does not answer within `limit_s` is not waited for.

    Args:
        settings: its `broker_url` must be set.
        state: the job's; refreshed if tasks seem lost.
        targets: those on which the job has not ended.
        mend: the command that starts the broker and its deliverers.
    """
    from redis import Redis, RedisError

    url = settings.broker_url.replace("redis+socket://", "unix://")
    try:
        with Redis.from_url(
            url, socket_timeout=limit_s, socket_connect_timeout=limit_s, retry=None
        ) as client:
            client.ping()
            unserved = _unserved(client, targets)
    except (RedisError, OSError, ValueError) as error:
        return [Fault(f"the broker does not answer ({_reason(settings, error)})", mend)]
    found = [
        Fault(f"nobody delivers to the {target}: no worker serves {queue_name(target)}", mend)
        for target in unserved
    ]
    try:
        return found + _lost(settings, state)
    except (BrokerError, ResultsError):
        return found


def _unserved(client: Any, targets: Sequence[Target]) -> list[Target]:
    """Targets whose queue no connected worker of ours serves; none where the broker does not tell."""
    from redis import ResponseError

    try:
        names = [entry["name"].split(":")[0].split(",") for entry in client.client_list()]
    except ResponseError:
        return []
    served = {queue for queues in names for queue in queues}
    return [target for target in targets if queue_name(target) not in served]


def _lost(settings: Settings, state: JobState) -> list[Fault]:
    """Tasks that are neither in a queue nor with a living worker; each look and its second one are short."""
    from producer.celery.lost_tasks import find_lost
    from producer.celery.queue import CeleryQueue

    job_id, found = state.manifest.job_id, []
    with closing(CeleryQueue(settings)) as queue:
        if job_id not in queue.jobs() and queue.size(state.targets):
            return []  # published through another broker
        held = sum(len(tags) for tags in queue.abandoned().values())
        if queue.size(state.targets) <= READ_MESSAGES:
            lost = find_lost([state], queue).get(job_id, {})
            if count := sum(len(tasks) for tasks in lost.values()):
                text = f"{counted(count, 'task')} lost by the broker, published again within a minute"
                found.append(Fault(text, f"diptych resume {job_id} --lost", stops=False))
            found += _failing(queue, state)
    if held:
        text = f"{counted(held, 'task')} held by a worker that is gone, given back within a minute"
        found.append(Fault(text, f"diptych resume {job_id} --lost", stops=False))
    return found


def _failing(queue: CeleryQueue, state: JobState) -> list[Fault]:
    """Why attempts fail, of each target's first task of which one has: a full disk, say."""
    failed = {}
    for task in sorted(queue.tasks(state.targets), key=lambda task: task.task_index, reverse=True):
        if task.last_error and task.job_id == state.manifest.job_id:
            failed[task.target] = task.last_error
    return [
        Fault(f"the {target} fails, and tries again: {error}", "", stops=False)
        for target, error in sorted(failed.items())
    ]


def _reason(settings: Settings, error: BaseException) -> str:
    """What the error says, and where the broker is, without its password."""
    from kombu.utils.url import maybe_sanitize_url

    return f"{maybe_sanitize_url(settings.broker_url)}: {error or type(error).__name__}"
